//! The whole service: routes, limits, and the loop that serves them.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Extract};
use axum::http::{Method, Response, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::IntoResponse as _;
use subrosa_translog::tiles::TilePath;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::interval;

use crate::api;
use crate::assets::{Assets, protect};
use crate::config::Config;
use crate::database::{Database, DatabaseError};
use crate::error::Problem;
use crate::forward::Upstream;
use crate::session::check_sender;

/// What every request can use.
pub(crate) type State = Arc<Shared>;

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) database: Database,
    /// Accounts whose history has grown, and to which sequence.
    pub(crate) changes: broadcast::Sender<(String, i64)>,
    /// Whether the service stops: answers that would have no end must end then.
    pub(crate) stopping: watch::Sender<bool>,
    assets: Assets,
    node: Option<Upstream>,
    log: Option<Upstream>,
    places: Semaphore,
}

/// The front of a service, ready to serve.
pub struct Service {
    state: State,
    listener: TcpListener,
}

/// Why it cannot serve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The address.
    #[error("cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, io::Error),
    /// The web application.
    #[error("cannot use the web application in {0}: {1}")]
    Web(std::path::PathBuf, io::Error),
}

impl Service {
    /// Opens the database, reads the web application, and listens.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn start(config: Config) -> Result<Self, ServiceError> {
        let database = Database::open(&config.database).await?;
        let assets = match &config.web {
            None => Assets::default(),
            Some(folder) => {
                Assets::read(folder).map_err(|error| ServiceError::Web(folder.clone(), error))?
            }
        };
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| ServiceError::Listen(config.listen, error))?;
        let (changes, _) = broadcast::channel(1024);
        let state = Shared {
            node: config.node.as_ref().map(Upstream::new),
            log: config.log.as_ref().map(Upstream::new),
            config,
            database,
            changes,
            stopping: watch::Sender::new(false),
            assets,
            places: Semaphore::new(MAX_AT_ONCE),
        };
        Ok(Self {
            state: Arc::new(state),
            listener,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The system's, if the socket is gone.
    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready and what was begun is done.
    ///
    /// # Errors
    ///
    /// The system's.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let tidy = tokio::spawn(tidy(Arc::clone(&self.state)));
        let state = Arc::clone(&self.state);
        let stop = async move {
            stop.await;
            state.stopping.send_replace(true);
        };
        let result = axum::serve(self.listener, router(self.state))
            .with_graceful_shutdown(stop)
            .await;
        tidy.abort();
        result
    }
}

fn router(state: State) -> Router {
    let store = api::routes().layer(from_fn_with_state(Arc::clone(&state), guard));
    Router::new()
        .nest("/store/v1", store)
        .fallback(other)
        .layer(map_response(async |mut response: Response<Body>| {
            protect(response.headers_mut());
            response
        }))
        .with_state(state)
}

/// Lets only so many in at once, and only the store's own page.
async fn guard(Extract(state): Extract<State>, request: Request, next: Next) -> Response<Body> {
    let Ok(_place) = state.places.try_acquire() else {
        return Problem::TooMany("the store is busy").into_response();
    };
    match check_sender(request.method(), request.headers(), &state.config.origin) {
        Ok(()) => named(next.run(request).await),
        Err(problem) => problem.into_response(),
    }
}

/// Gives a code to what the framework refused in its own words.
fn named(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let media = response.headers().get(header::CONTENT_TYPE);
    let is_named = media.is_some_and(|media| media == "application/problem+json");
    if is_named || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
        StatusCode::NOT_FOUND => Problem::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Problem::BadRequest("this cannot be asked here"),
        status if status.is_client_error() => Problem::BadRequest("this is not understood"),
        _ => Problem::Unavailable,
    };
    problem.into_response()
}

/// Files of the web application, and what is for the node or the log.
async fn other(Extract(state): Extract<State>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let upstream = match path.strip_prefix("/subrosa/v1/") {
        None => None,
        Some(rest) => match rest.strip_prefix("log/") {
            None => Some((&state.node, path.as_str())),
            // Nothing but the tiles of a log can be asked for through this service.
            Some(tile) if request.method() == Method::GET && TilePath::parse(tile).is_some() => {
                let start = path.len().saturating_sub(tile.len()).saturating_sub(1);
                path.get(start..).map(|path| (&state.log, path))
            }
            Some(_) => return Problem::NotFound.into_response(),
        },
    };
    if let Some((upstream, path)) = upstream {
        let Some(upstream) = upstream else {
            return Problem::NotFound.into_response();
        };
        let passed = upstream.pass(request, path).await;
        return passed.unwrap_or_else(axum::response::IntoResponse::into_response);
    }
    if request.method() != Method::GET {
        return Problem::NotFound.into_response();
    }
    let answer = state.assets.answer(&path, request.headers());
    answer.unwrap_or_else(|| Problem::NotFound.into_response())
}

async fn tidy(state: State) {
    let mut ticks = interval(Duration::from_mins(10));
    loop {
        ticks.tick().await;
        // A database that does not answer now will at the next tick; requests say so meanwhile.
        let _ = state.database.tidy().await;
    }
}

/// Requests to the store at the same time.
const MAX_AT_ONCE: usize = 1024;
