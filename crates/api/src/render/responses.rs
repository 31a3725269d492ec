//! OpenAI responses: `response.created` … `response.completed`, and `response`.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::event::{Event, FinishReason, Start, Usage};
use crate::render::answer::{Answer, Choice, Item};
use crate::render::{Dialect, Stream, logprobs, set, write_named};
use crate::request::{GenerateRequest, ResponseFormat, Tool, ToolChoice};

/// Settings of a request that its answer repeats.
#[derive(Clone, PartialEq)]
pub struct Echo {
    max_output_tokens: Option<u32>,
    parallel_tool_calls: bool,
    temperature: Option<f32>,
    text_format: Value,
    tool_choice: Value,
    tools: Value,
    top_logprobs: u8,
    top_p: Option<f32>,
}

/// Shows nothing that was said.
impl std::fmt::Debug for Echo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Echo").finish_non_exhaustive()
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self {
            max_output_tokens: None,
            parallel_tool_calls: true,
            temperature: None,
            text_format: json!({"type": "text"}),
            tool_choice: json!("auto"),
            tools: json!([]),
            top_logprobs: 0,
            top_p: None,
        }
    }
}

impl Echo {
    /// What an answer to `request` repeats.
    #[must_use]
    pub fn from_request(request: &GenerateRequest) -> Self {
        Self {
            max_output_tokens: request.sampling.max_tokens,
            parallel_tool_calls: request.parallel_tool_calls,
            temperature: request.sampling.temperature,
            text_format: text_format(&request.response_format),
            tool_choice: tool_choice(&request.tool_choice, &request.tools),
            tools: request.tools.iter().map(tool).collect(),
            top_logprobs: request.sampling.logprobs.unwrap_or(0),
            top_p: request.sampling.top_p,
        }
    }
}

fn text_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema(schema) => json!({
            "type": "json_schema",
            "name": schema.name,
            "schema": schema.schema,
            "strict": schema.strict,
        }),
    }
}

fn tool_choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    match choice {
        ToolChoice::Named(name) => json!({"type": "function", "name": name}),
        ToolChoice::None if !tools.is_empty() => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Auto | ToolChoice::None => json!("auto"),
    }
}

fn tool(tool: &Tool) -> Value {
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    })
}

/// Renders events. The API has one choice.
pub(super) struct ResponsesSse {
    echo: Echo,
    sequence: u64,
    choice: Choice,
    /// The last item takes more.
    open: bool,
}

impl ResponsesSse {
    pub(super) fn new(echo: Echo) -> Self {
        Self {
            echo,
            sequence: 0,
            choice: Choice::default(),
            open: false,
        }
    }

    fn write(&mut self, kind: &str, mut data: Value, out: &mut Vec<u8>) {
        set(&mut data, "type", json!(kind));
        set(&mut data, "sequence_number", json!(self.sequence));
        self.sequence = self.sequence.saturating_add(1);
        write_named(&data, out);
    }

    /// The place of the last item.
    fn last(&self) -> usize {
        self.choice.items.len().saturating_sub(1)
    }

    fn start(&mut self, stream: &Stream, out: &mut Vec<u8>) {
        let response = Response::running(&stream.start).value(&self.echo);
        for kind in ["response.created", "response.in_progress"] {
            self.write(kind, json!({"response": response}), out);
        }
    }

    fn text(&mut self, event: &Event, text: &str, id: &str, out: &mut Vec<u8>) {
        if !self.open || !matches!(self.choice.items.last(), Some(Item::Text { .. })) {
            self.close(id, "completed", out);
            self.open_text(id, out);
        }
        let tokens = logprobs::entries(&self.choice.pending);
        self.choice.push(event);
        let index = self.last();
        let data = json!({
            "item_id": item_id(id, index, "msg"),
            "output_index": index,
            "content_index": 0,
            "delta": text,
            "logprobs": tokens,
        });
        self.write("response.output_text.delta", data, out);
    }

    fn open_text(&mut self, id: &str, out: &mut Vec<u8>) {
        self.choice.items.push(Item::Text {
            text: String::new(),
            logprobs: Vec::new(),
        });
        self.open = true;
        let index = self.last();
        let item_id = item_id(id, index, "msg");
        let item = message(&item_id, "in_progress", &json!([]));
        self.write(
            "response.output_item.added",
            json!({"output_index": index, "item": item}),
            out,
        );
        let data = json!({
            "item_id": item_id,
            "output_index": index,
            "content_index": 0,
            "part": output_text("", &json!([])),
        });
        self.write("response.content_part.added", data, out);
    }

    fn open_call(&mut self, event: &Event, id: &str, out: &mut Vec<u8>) {
        self.close(id, "completed", out);
        self.choice.push(event);
        self.open = true;
        let index = self.last();
        let item = self
            .choice
            .items
            .last()
            .map(|last| item(last, id, index, "in_progress"));
        self.write(
            "response.output_item.added",
            json!({"output_index": index, "item": item}),
            out,
        );
    }

    fn arguments(&mut self, event: &Event, text: &str, id: &str, out: &mut Vec<u8>) {
        self.choice.push(event);
        let index = self.last();
        let data = json!({
            "item_id": item_id(id, index, "fc"),
            "output_index": index,
            "delta": text,
        });
        self.write("response.function_call_arguments.delta", data, out);
    }

    /// Says that the last item is done.
    fn close(&mut self, id: &str, status: &str, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let index = self.last();
        let Some(last) = self.choice.items.last() else {
            return;
        };
        let done = json!({"output_index": index, "item": item(last, id, index, status)});
        match last {
            Item::Text { text, logprobs } => {
                let tokens = logprobs::entries(logprobs);
                let part = output_text(text, &tokens);
                let place = json!({
                    "item_id": item_id(id, index, "msg"),
                    "output_index": index,
                    "content_index": 0,
                });
                let (mut text_done, mut part_done) = (place.clone(), place);
                set(&mut text_done, "text", json!(text));
                set(&mut text_done, "logprobs", tokens);
                set(&mut part_done, "part", part);
                self.write("response.output_text.done", text_done, out);
                self.write("response.content_part.done", part_done, out);
            }
            Item::Call {
                name, arguments, ..
            } => {
                let data = json!({
                    "item_id": item_id(id, index, "fc"),
                    "output_index": index,
                    "name": name,
                    "arguments": arguments,
                });
                self.write("response.function_call_arguments.done", data, out);
            }
        }
        self.write("response.output_item.done", done, out);
    }

    fn end(&mut self, stream: &Stream, out: &mut Vec<u8>) {
        let response = Response::finished(&stream.start, &self.choice, stream.usage);
        let kind = match response.status {
            "incomplete" => "response.incomplete",
            _ => "response.completed",
        };
        let response = response.value(&self.echo);
        self.write(kind, json!({"response": response}), out);
    }
}

impl Dialect for ResponsesSse {
    fn event(&mut self, stream: &Stream, event: &Event, out: &mut Vec<u8>) {
        let id = stream.start.id.as_str();
        match event {
            Event::Start(_) => self.start(stream, out),
            Event::TextDelta { text, .. } => self.text(event, text, id, out),
            Event::Logprobs { .. } => self.choice.push(event),
            Event::ToolCallStart { .. } => self.open_call(event, id, out),
            Event::ToolCallArguments { text, .. } => self.arguments(event, text, id, out),
            Event::Finish { reason, .. } => {
                if self.choice.items.is_empty() {
                    self.open_text(id, out);
                }
                self.close(id, item_status(*reason), out);
                self.choice.push(event);
            }
            Event::End => self.end(stream, out),
            Event::Usage(_) | Event::Error(_) => {}
        }
    }

    /// Has both what the API documents and what official clients look for before they raise.
    fn error(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        let mut data = error.openai();
        set(&mut data, "code", json!(error.code.as_str()));
        set(&mut data, "message", json!(error.message));
        set(&mut data, "param", json!(error.param));
        self.write("error", data, out);
    }
}

/// The whole answer.
pub(super) fn body(answer: &Answer, echo: &Echo) -> Value {
    let empty = Choice::default();
    let choice = answer.first().unwrap_or(&empty);
    Response::finished(&answer.start, choice, answer.usage).value(echo)
}

/// A `response` object at some point of its life.
struct Response<'a> {
    start: &'a Start,
    status: &'static str,
    output: Value,
    usage: Option<Usage>,
}

impl<'a> Response<'a> {
    fn running(start: &'a Start) -> Self {
        Self {
            start,
            status: "in_progress",
            output: json!([]),
            usage: None,
        }
    }

    fn finished(start: &'a Start, choice: &Choice, usage: Usage) -> Self {
        let reason = choice.finish.unwrap_or(FinishReason::Stop);
        Self {
            start,
            status: item_status(reason),
            output: output(choice, &start.id, item_status(reason)),
            usage: Some(usage),
        }
    }

    fn value(&self, echo: &Echo) -> Value {
        let details = (self.status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
        json!({
            "id": self.start.id,
            "object": "response",
            "created_at": self.start.created,
            "status": self.status,
            "background": false,
            "error": null,
            "incomplete_details": details,
            "max_output_tokens": echo.max_output_tokens,
            "metadata": {},
            "model": self.start.model,
            "output": self.output,
            "parallel_tool_calls": echo.parallel_tool_calls,
            "previous_response_id": null,
            "store": false,
            "temperature": echo.temperature,
            "text": {"format": echo.text_format},
            "tool_choice": echo.tool_choice,
            "tools": echo.tools,
            "top_logprobs": echo.top_logprobs,
            "top_p": echo.top_p,
            "truncation": "disabled",
            "usage": self.usage.map(usage),
        })
    }
}

/// All items; the last one has `status`, the others are completed.
fn output(choice: &Choice, id: &str, status: &str) -> Value {
    if choice.items.is_empty() {
        let content = json!([output_text("", &json!([]))]);
        return json!([message(&item_id(id, 0, "msg"), status, &content)]);
    }
    let last = choice.items.len().saturating_sub(1);
    let items = choice.items.iter().enumerate().map(|(index, value)| {
        let status = if index == last { status } else { "completed" };
        item(value, id, index, status)
    });
    items.collect()
}

fn item(value: &Item, id: &str, index: usize, status: &str) -> Value {
    match value {
        Item::Text { text, logprobs } => {
            let content = json!([output_text(text, &logprobs::entries(logprobs))]);
            message(&item_id(id, index, "msg"), status, &content)
        }
        Item::Call {
            id: call_id,
            name,
            arguments,
        } => json!({
            "id": item_id(id, index, "fc"),
            "type": "function_call",
            "status": status,
            "call_id": call_id,
            "name": name,
            "arguments": arguments,
        }),
    }
}

fn message(id: &str, status: &str, content: &Value) -> Value {
    json!({
        "id": id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    })
}

fn output_text(text: &str, logprobs: &Value) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs})
}

/// The identifier of an item: that of the answer with the item's place.
fn item_id(id: &str, index: usize, prefix: &str) -> String {
    let suffix = id.strip_prefix("resp_").unwrap_or(id);
    format!("{prefix}_{suffix}_{index}")
}

fn item_status(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length => "incomplete",
        _ => "completed",
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": u64::from(usage.prompt).saturating_add(usage.completion.into()),
    })
}
