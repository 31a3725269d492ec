//! What the proxy says about itself.

use http::Response;
use serde_json::json;
use subrosa_api::request::Api;

use super::body::{ProxyBody, error_response, response};
use crate::client::Client;

/// A page for people who look with a browser.
pub(super) fn about() -> Response<ProxyBody> {
    let body = ProxyBody::Whole(Some(ABOUT.into()));
    response(200, "text/plain; charset=utf-8", None, body)
}

/// The verdict on the node that the next request goes to, and what it does not cover.
pub(super) async fn status(client: &Client) -> Response<ProxyBody> {
    let node = match client.node().await {
        Ok(node) => node,
        Err(error) => {
            let verdict = error.refusal().map(crate::node::Refusal::verdict_line);
            return error_response(&error.to_api_error(), Api::Chat, verdict.as_deref());
        }
    };
    let verdict = node.verdict_line();
    let gaps = node.gaps();
    let kc = node.key_configuration();
    let status = json!({
        "verdict": verdict,
        "gaps": gaps.iter().map(|gap| json!({"name": gap.as_str(), "meaning": gap.meaning()})).collect::<Vec<_>>(),
        "policy": node.appraisal().policy_name(),
        "key_id": kc.key_id().to_string(),
        "key_not_after": kc.not_after(),
        "models": kc.models().iter().map(|model| &model.name).collect::<Vec<_>>(),
    });
    let body = ProxyBody::Whole(Some(status.to_string().into()));
    response(200, "application/json", Some(&verdict), body)
}

const ABOUT: &str = "This is the local proxy of Subrosa.

Applications on this machine use it as the base URL of an OpenAI or Anthropic client, for example
http://127.0.0.1:8787/v1. Each request is sealed to a node that was verified first; nothing is sent
to one that was not. The verdict, and what it does not cover: /subrosa/status
";
