//! Settings that several endpoints share.

use crate::error::ApiError;
use crate::fields::{Fields, integer, invalid, number, string};
use crate::json::Json;
use crate::limits::{
    MAX_CHOICES, MAX_LOGIT_BIAS, MAX_MODEL_BYTES, MAX_STOP_BYTES, MAX_STOPS, MAX_TOKENS,
};
use crate::request::Sampling;

/// The model's name.
pub(super) fn model(fields: &mut Fields) -> Result<String, ApiError> {
    let model = fields.require_string("model", MAX_MODEL_BYTES)?;
    if model.is_empty() {
        return Err(invalid("model", "the name of a model"));
    }
    Ok(model)
}

/// What `/v1/chat/completions` and `/v1/completions` share.
pub(super) fn openai(fields: &mut Fields) -> Result<Sampling, ApiError> {
    let mut sampling = Sampling {
        stop: stop(fields)?,
        n: choices(fields)?,
        frequency_penalty: fields
            .number("frequency_penalty", -2.0..=2.0)?
            .unwrap_or(0.0),
        presence_penalty: fields
            .number("presence_penalty", -2.0..=2.0)?
            .unwrap_or(0.0),
        logit_bias: logit_bias(fields)?,
        ..temperature(fields, 2.0)?
    };
    extensions(fields, &mut sampling)?;
    drop_user(fields)?;
    Ok(sampling)
}

/// `temperature` and `top_p`, which every endpoint has.
pub(super) fn temperature(fields: &mut Fields, max: f32) -> Result<Sampling, ApiError> {
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0..=max)?,
        top_p: fields.positive("top_p", 1.0)?,
        ..Sampling::default()
    })
}

/// Settings that the OpenAI APIs do not define and common engines do, plus `seed`.
pub(super) fn extensions(fields: &mut Fields, sampling: &mut Sampling) -> Result<(), ApiError> {
    sampling.top_k = fields.integer("top_k", 0..=u32::MAX)?;
    sampling.min_p = fields.number("min_p", 0.0..=1.0)?;
    sampling.seed = seed(fields)?;
    sampling.repeat_penalty = fields.positive("repeat_penalty", 2.0)?;
    Ok(())
}

/// The most tokens an answer may have.
pub(super) fn max_tokens(fields: &mut Fields, name: &str) -> Result<Option<u32>, ApiError> {
    fields.integer(name, 1..=MAX_TOKENS)
}

/// Labels of the application's own users change nothing about an answer; they are dropped here.
pub(super) fn drop_user(fields: &mut Fields) -> Result<(), ApiError> {
    fields.string("user", 512).map(drop)
}

/// `stream` and `stream_options`; returns whether to stream, and whether to end with usage.
pub(super) fn stream(fields: &mut Fields) -> Result<(bool, bool), ApiError> {
    let stream = fields.boolean("stream")?.unwrap_or(false);
    let Some(mut options) = fields.object("stream_options")? else {
        return Ok((stream, false));
    };
    if !stream {
        return Err(invalid("stream_options", "absent unless `stream` is true"));
    }
    let include_usage = options.boolean("include_usage")?.unwrap_or(false);
    no_obfuscation(&mut options)?;
    options.finish()?;
    Ok((stream, include_usage))
}

/// OpenAI's padding of stream events; here the sealed records hide sizes.
pub(super) fn no_obfuscation(options: &mut Fields) -> Result<(), ApiError> {
    options.only_false(
        "include_obfuscation",
        "is not supported: sealed records hide sizes already",
    )
}

/// A list of stop sequences.
pub(super) fn stop_list(fields: &mut Fields, name: &str) -> Result<Vec<String>, ApiError> {
    stop_texts(fields.array(name, MAX_STOPS)?, name)
}

fn stop_texts(values: Vec<Json>, name: &str) -> Result<Vec<String>, ApiError> {
    if values.len() > MAX_STOPS {
        return Err(invalid(
            name,
            &format!("an array of at most {MAX_STOPS} values"),
        ));
    }
    let values = values.into_iter().enumerate();
    values
        .map(|(index, value)| stop_text(value, format!("{name}[{index}]")))
        .collect()
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    match fields.take("stop") {
        None => Ok(Vec::new()),
        Some(value @ Json::String(_)) => Ok(vec![stop_text(value, fields.at("stop"))?]),
        Some(Json::Array(values)) => stop_texts(values, "stop"),
        Some(_) => Err(invalid("stop", "text or an array of texts")),
    }
}

fn stop_text(value: Json, path: String) -> Result<String, ApiError> {
    let text = string(value, path.clone(), MAX_STOP_BYTES)?;
    if text.is_empty() {
        return Err(invalid(path, "text that is not empty"));
    }
    Ok(text)
}

fn choices(fields: &mut Fields) -> Result<u8, ApiError> {
    let n = fields.integer("n", 1..=u32::from(MAX_CHOICES))?;
    Ok(n.and_then(|n| u8::try_from(n).ok()).unwrap_or(1))
}

fn seed(fields: &mut Fields) -> Result<Option<i64>, ApiError> {
    let Some(value) = fields.take("seed") else {
        return Ok(None);
    };
    match integer(&value) {
        Some(seed) => Ok(Some(seed)),
        None => Err(invalid("seed", "a whole number of 64 bits")),
    }
}

fn logit_bias(fields: &mut Fields) -> Result<Vec<(u32, f32)>, ApiError> {
    let entries = match fields.take("logit_bias") {
        None => return Ok(Vec::new()),
        Some(Json::Object(entries)) if entries.len() <= MAX_LOGIT_BIAS => entries,
        Some(_) => {
            let expected = format!("an object of at most {MAX_LOGIT_BIAS} token ids");
            return Err(invalid("logit_bias", &expected));
        }
    };
    let mut biases = Vec::with_capacity(entries.len());
    for (token, bias) in entries {
        let id = token_id(&token).ok_or_else(|| invalid("logit_bias", "keyed by token ids"))?;
        biases.push((id, number(&bias, "logit_bias", -100.0..=100.0)?));
    }
    Ok(biases)
}

/// A token id in its one decimal form, so that no two keys are the same token.
fn token_id(text: &str) -> Option<u32> {
    let id: u32 = text.parse().ok()?;
    (id.to_string() == text).then_some(id)
}

/// `logprobs` as a switch with `top_logprobs` beside it, as in chat.
pub(super) fn logprobs(fields: &mut Fields) -> Result<Option<u8>, ApiError> {
    let wanted = fields.boolean("logprobs")?.unwrap_or(false);
    let top = top_logprobs(fields)?;
    match (wanted, top) {
        (true, top) => Ok(Some(top.unwrap_or(0))),
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => Err(invalid("top_logprobs", "absent unless `logprobs` is true")),
    }
}

/// The number of alternatives beside each token.
pub(super) fn top_logprobs(fields: &mut Fields) -> Result<Option<u8>, ApiError> {
    let max = u32::from(crate::limits::MAX_TOP_LOGPROBS);
    let top = fields.integer("top_logprobs", 0..=max)?;
    Ok(top.and_then(|top| u8::try_from(top).ok()))
}

/// Fields of OpenAI's platform that no engine here has, with the values that ask for nothing.
pub(super) fn platform(fields: &mut Fields) -> Result<(), ApiError> {
    fields.only_false("store", "is not supported: nothing is stored")?;
    fields.only_text("service_tier", &["auto", "default"])?;
    fields.only_text("verbosity", &["medium"])?;
    fields.only(
        "metadata",
        |value| matches!(value, Json::Object(entries) if entries.is_empty()),
        "is not supported: nothing is stored",
    )
}
