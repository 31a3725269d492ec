//! A store of its own for each test, and devices that use it.

use std::path::Path;
use std::sync::{Mutex, mpsc};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, Executor as _};
use subrosa_edge::{Config, Service};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use ureq::http;

pub const ORIGIN: &str = "http://localhost:8790";

/// A service with an empty database.
pub struct Place {
    pub url: String,
    pub database: String,
    pub folder: tempfile::TempDir,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The databases that every test is done with. Postgres only where the test script has started one.
pub fn databases() -> Vec<&'static str> {
    let mut databases = vec!["sqlite"];
    if std::env::var_os("SUBROSA_POSTGRES").is_some() {
        databases.push("postgres");
    } else {
        assert!(
            std::env::var_os("CI").is_none(),
            "SUBROSA_POSTGRES names no database"
        );
        eprintln!(
            "skipped with Postgres: SUBROSA_POSTGRES names no database; scripts/test starts one"
        );
    }
    databases
}

/// Does a test with each database.
pub fn each(test: impl Fn(&Place)) {
    for kind in databases() {
        eprintln!("with {kind}");
        test(&Place::with(kind, |_| {}));
    }
}

/// The URL of an empty database.
pub fn empty_database(kind: &str, folder: &Path) -> String {
    if kind == "sqlite" {
        return format!("sqlite://{}", folder.join("store.db").display());
    }
    let admin = std::env::var("SUBROSA_POSTGRES").unwrap();
    let name = format!("t{}", hex::encode(random::<12>()));
    Runtime::new().unwrap().block_on(async {
        let mut connection = sqlx::PgConnection::connect(&admin).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        connection.execute(create).await.unwrap();
    });
    assert!(admin.contains("/postgres?"), "{admin}");
    admin.replace("/postgres?", &format!("/{name}?"))
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

impl Place {
    pub fn with(kind: &str, edit: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = empty_database(kind, folder.path());
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut config = Config::new(listen, database.clone(), ORIGIN.parse().unwrap());
        edit(&mut config);
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, address) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            Runtime::new().unwrap().block_on(async {
                let service = Service::start(config).await.unwrap();
                started.send(service.address().unwrap()).unwrap();
                let stop = async {
                    let _ = stopped.await;
                };
                service.serve(stop).await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        Self {
            url: format!("http://{address}"),
            database,
            folder,
            stop: Mutex::new(Some(stop)),
            thread: Mutex::new(Some(thread)),
        }
    }

    pub fn device(&self) -> Device {
        Device::new(&self.url)
    }

    /// A device with a new account and its passkey.
    pub fn account(&self) -> (Device, Passkey) {
        let mut device = self.device();
        let passkey = Passkey::new();
        let made = device.register(&passkey);
        assert_eq!(made.status, 201, "{made:?}");
        (device, passkey)
    }
}

impl Place {
    /// Tells the service to stop, and waits until it has.
    pub fn stop(&self) {
        drop(self.stop.lock().unwrap().take());
        if let Some(thread) = self.thread.lock().unwrap().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A browser's cookies and the headers that the page sends.
pub struct Device {
    pub url: String,
    pub cookie: Option<String>,
    agent: ureq::Agent,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub fn code(&self) -> (u16, String) {
        (
            self.status,
            self.json()["code"].as_str().unwrap().to_owned(),
        )
    }

    pub fn number(&self, header: &str) -> u64 {
        self.headers[header].to_str().unwrap().parse().unwrap()
    }
}

impl Device {
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        Self {
            url: url.to_owned(),
            cookie: None,
            agent: config.build().into(),
        }
    }

    /// Asks with exactly these headers.
    pub fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_vec()).unwrap();
        let response = self.agent.run(request).ok()?;
        let (parts, body) = response.into_parts();
        let body = body.into_with_config().limit(64 << 20).read_to_vec().ok()?;
        Some(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }

    pub fn try_ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let mut all = vec![("subrosa-store", "1"), ("origin", ORIGIN)];
        all.extend_from_slice(headers);
        if let Some(cookie) = &self.cookie {
            all.push(("cookie", cookie));
        }
        self.raw(method, &format!("/store/v1/{path}"), &all, body)
    }

    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let answer = self.try_ask(method, path, headers, body).unwrap();
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let age = if pair.ends_with('=') { 0 } else { 2_592_000 };
            let expected = format!(" Path=/store; Max-Age={age}; HttpOnly; SameSite=Strict");
            assert_eq!(attributes, expected);
            self.cookie = (age > 0).then(|| pair.to_owned());
        }
        answer
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    pub fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.ask("POST", path, &[], body)
    }

    pub fn register(&mut self, passkey: &Passkey) -> Answer {
        let options = self.post("passkeys/begin", b"");
        assert_eq!(options.status, 200, "{options:?}");
        let answer = passkey.create(&options.json(), &Wrong::default());
        self.post("passkeys", answer.to_string().as_bytes())
    }

    pub fn login(&mut self, passkey: &Passkey) -> Answer {
        let options = self.post("login/begin", b"");
        assert_eq!(options.status, 200, "{options:?}");
        let answer = passkey.get(&options.json(), &Wrong::default());
        self.post("login", answer.to_string().as_bytes())
    }
}

/// A passkey in software (`WebAuthn` Level 3 §6).
pub struct Passkey {
    key: SigningKey,
    pub id: Vec<u8>,
    user: std::cell::RefCell<Vec<u8>>,
    count: std::cell::Cell<u32>,
}

/// What a passkey or browser does wrong.
#[derive(Clone, Debug)]
pub struct Wrong {
    pub origin: &'static str,
    pub rp: &'static str,
    pub kind: Option<&'static str>,
    pub flags: u8,
    pub challenge: Option<String>,
    pub user: Option<Vec<u8>>,
    pub other_key: bool,
    pub extensions: Value,
}

impl Default for Wrong {
    fn default() -> Self {
        Self {
            origin: ORIGIN,
            rp: "localhost",
            kind: None,
            // User present and verified.
            flags: 0b101,
            challenge: None,
            user: None,
            other_key: false,
            extensions: json!({}),
        }
    }
}

impl Passkey {
    pub fn new() -> Self {
        Self {
            key: SigningKey::from_slice(&random::<32>()).unwrap(),
            id: random::<32>().to_vec(),
            user: Vec::new().into(),
            count: 0.into(),
        }
    }

    pub fn name(&self) -> String {
        hex::encode(&self.id)
    }

    /// `RegistrationResponseJSON`, with no attestation.
    pub fn create(&self, options: &Value, wrong: &Wrong) -> Value {
        let options = options.get("publicKey").unwrap_or(options);
        let user = options.pointer("/user/id").unwrap().as_str().unwrap();
        *self.user.borrow_mut() = BASE64.decode(user).unwrap();
        let client = client_data("webauthn.create", options, wrong);
        let point = self.key.verifying_key().to_sec1_point(false);
        let mut data = self.data(wrong, 0x40);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&[0, 32]);
        data.extend_from_slice(&self.id);
        // COSE_Key: EC2, ES256, P-256.
        data.extend_from_slice(&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend_from_slice(point.x().unwrap());
        data.extend_from_slice(&[0x22, 0x58, 32]);
        data.extend_from_slice(point.y().unwrap());
        let mut attestation = vec![0xa3, 0x63];
        attestation.extend_from_slice(b"fmt\x64none\x67attStmt\xa0\x68authData\x58");
        attestation.push(u8::try_from(data.len()).unwrap());
        attestation.extend_from_slice(&data);
        json!({
            "id": BASE64.encode(&self.id), "rawId": BASE64.encode(&self.id), "type": "public-key",
            "clientExtensionResults": wrong.extensions,
            "response": {
                "clientDataJSON": BASE64.encode(client), "attestationObject": BASE64.encode(attestation), "transports": ["internal"],
            },
        })
    }

    /// `AuthenticationResponseJSON`.
    pub fn get(&self, options: &Value, wrong: &Wrong) -> Value {
        let options = options.get("publicKey").unwrap_or(options);
        let client = client_data("webauthn.get", options, wrong);
        let data = self.data(wrong, 0);
        let signed = [&data[..], Sha256::digest(&client).as_slice()].concat();
        let key = if wrong.other_key {
            Self::new().key
        } else {
            self.key.clone()
        };
        let signature: DerSignature = key.sign(&signed);
        let user = wrong
            .user
            .clone()
            .unwrap_or_else(|| self.user.borrow().clone());
        json!({
            "id": BASE64.encode(&self.id), "rawId": BASE64.encode(&self.id), "type": "public-key",
            "clientExtensionResults": wrong.extensions,
            "response": {
                "clientDataJSON": BASE64.encode(client), "authenticatorData": BASE64.encode(data),
                "signature": BASE64.encode(signature.as_bytes()), "userHandle": BASE64.encode(user),
            },
        })
    }

    fn data(&self, wrong: &Wrong, more: u8) -> Vec<u8> {
        self.count.set(self.count.get() + 1);
        let mut data = Sha256::digest(wrong.rp).to_vec();
        data.push(wrong.flags | more);
        data.extend_from_slice(&self.count.get().to_be_bytes());
        data
    }
}

fn client_data(kind: &str, options: &Value, wrong: &Wrong) -> Vec<u8> {
    let challenge = options["challenge"].as_str().unwrap();
    let data = json!({
        "type": wrong.kind.unwrap_or(kind),
        "challenge": wrong.challenge.as_deref().unwrap_or(challenge),
        "origin": wrong.origin,
        "crossOrigin": false,
    });
    data.to_string().into_bytes()
}
