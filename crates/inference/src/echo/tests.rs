use subrosa_api::request::{Api, ResponseFormat, Role, Sampling, ToolChoice};

use super::*;

#[tokio::test]
async fn the_last_message_comes_back() {
    let engine = EchoEngine::new(EchoConfig::default());

    let events = collect(engine.generate(request("one two")).await.unwrap()).await;

    assert_eq!(text(&events), "one two");
    assert!(matches!(events.last(), Some(Event::End)));
}

#[tokio::test]
async fn the_number_of_tokens_is_the_configured_one() {
    let config = EchoConfig {
        tokens: Some(5),
        ..EchoConfig::default()
    };

    let events = collect(
        EchoEngine::new(config)
            .generate(request("a b"))
            .await
            .unwrap(),
    )
    .await;

    let deltas = events
        .iter()
        .filter(|e| matches!(e, Event::TextDelta { .. }));
    assert_eq!(deltas.count(), 5);
}

#[tokio::test]
async fn max_tokens_ends_the_answer_with_length() {
    let mut request = request("one two three");
    request.sampling.max_tokens = Some(2);

    let engine = EchoEngine::new(EchoConfig::default());
    let events = collect(engine.generate(request).await.unwrap()).await;

    let finish = Event::Finish {
        choice: 0,
        reason: FinishReason::Length,
        stop_sequence: None,
    };
    assert!(events.contains(&finish));
}

#[tokio::test]
async fn an_unknown_model_is_refused() {
    let mut request = request("x");
    request.model = "other".to_owned();

    let refused = EchoEngine::new(EchoConfig::default())
        .generate(request)
        .await;

    assert_eq!(refused.unwrap_err(), EngineError::ModelUnknown);
}

#[tokio::test]
async fn a_stream_too_many_is_refused_with_a_time_to_retry() {
    let config = EchoConfig {
        max_streams: 1,
        delay: Duration::from_mins(1),
        ..EchoConfig::default()
    };
    let engine = EchoEngine::new(config);
    let _first = engine.generate(request("x")).await.unwrap();

    let refused = engine.generate(request("x")).await.unwrap_err();

    assert_eq!(refused.to_api().status(), 429);
    assert_eq!(refused.to_api().retry_after, Some(1));
}

#[tokio::test]
async fn dropping_the_stream_frees_its_place() {
    let config = EchoConfig {
        delay: Duration::from_mins(1),
        ..EchoConfig::default()
    };
    let engine = EchoEngine::new(config);
    let stream = engine.generate(request("x")).await.unwrap();

    drop(stream);

    engine.drain().await;
    assert_eq!(engine.load().running, 0);
}

fn request(text: &str) -> GenerateRequest {
    GenerateRequest {
        api: Api::Chat,
        model: "echo".to_owned(),
        input: Input::Chat(vec![Message::text(Role::User, text)]),
        sampling: Sampling::default(),
        response_format: ResponseFormat::Text,
        tools: Vec::new(),
        tool_choice: ToolChoice::None,
        parallel_tool_calls: true,
        stream: true,
        include_usage: true,
        conversation: None,
    }
}

async fn collect(mut stream: EventStream) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event);
    }
    events
}

fn text(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::TextDelta { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}
