use super::*;

const LOGITS: [f32; 5] = [0.0, 3.0, 1.0, 2.0, -1.0];

#[test]
fn temperature_zero_takes_the_likeliest_token() {
    let mut sampler = sampler(|params| params.temperature = 0.0);

    assert_eq!(draw(&mut sampler), Some(1));
}

#[test]
fn the_same_seed_gives_the_same_tokens() {
    let draw_many = |seed| {
        let mut sampler = sampler(|params| params.seed = seed);
        (0..50).map(|_| draw(&mut sampler)).collect::<Vec<_>>()
    };

    assert_eq!(draw_many(7), draw_many(7));
    assert_ne!(draw_many(7), draw_many(8));
}

#[test]
fn tokens_come_as_often_as_the_model_says() {
    let mut sampler = sampler(|_| {});
    let drawn = (0..20_000)
        .filter(|_| draw(&mut sampler) == Some(1))
        .count();

    // exp(3) / sum(exp(logits)) = 0.6364
    assert!((12_400..13_100).contains(&drawn), "{drawn}");
}

#[test]
fn top_k_keeps_the_k_likeliest() {
    let mut sampler = sampler(|params| params.top_k = 2);

    assert!((0..500).all(|_| matches!(draw(&mut sampler), Some(1 | 3))));
}

#[test]
fn top_p_keeps_the_nucleus() {
    // The two likeliest have 0.636 and 0.234.
    let mut sampler = sampler(|params| params.top_p = 0.7);

    let drawn: Vec<_> = (0..500).map(|_| draw(&mut sampler)).collect();

    assert!(drawn.iter().all(|token| matches!(token, Some(1 | 3))));
    assert!(drawn.contains(&Some(3)));
}

#[test]
fn a_tiny_top_p_keeps_one_token() {
    let mut sampler = sampler(|params| params.top_p = 1e-6);

    assert!((0..200).all(|_| draw(&mut sampler) == Some(1)));
}

#[test]
fn min_p_is_relative_to_the_likeliest() {
    // exp(-1) = 0.37 of the likeliest, exp(-2) = 0.14.
    let mut sampler = sampler(|params| params.min_p = 0.3);

    assert!((0..500).all(|_| matches!(draw(&mut sampler), Some(1 | 3))));
}

#[test]
fn logit_bias_moves_the_choice() {
    let mut sampler = sampler(|params| {
        params.temperature = 0.0;
        params.logit_bias = vec![(1, -100.0), (4, 100.0)];
    });

    assert_eq!(draw(&mut sampler), Some(4));
}

#[test]
fn a_bias_outside_the_vocabulary_changes_nothing() {
    let mut sampler = sampler(|params| {
        params.temperature = 0.0;
        params.logit_bias = vec![(u32::MAX, 100.0)];
    });

    assert_eq!(draw(&mut sampler), Some(1));
}

#[test]
fn penalties_count_what_was_written() {
    let mut sampler = sampler(|params| {
        params.temperature = 0.0;
        params.presence_penalty = 0.6;
        params.frequency_penalty = 0.6;
    });
    assert_eq!(draw(&mut sampler), Some(1));

    sampler.accept(1);

    // 3 - 0.6 - 0.6 = 1.8 is below the 2 of token 3.
    assert_eq!(draw(&mut sampler), Some(3));
}

#[test]
fn the_repetition_penalty_reads_the_prompt_too() {
    let params = SamplingParams {
        temperature: 0.0,
        repeat_penalty: 2.0,
        ..plain()
    };
    let mut sampler = Sampler::new(params, &[1]);

    assert_eq!(draw(&mut sampler), Some(3));
}

#[test]
fn what_is_not_allowed_is_not_chosen() {
    let mut sampler = sampler(|params| params.temperature = 0.0);

    let token = sampler.choose(
        &LOGITS,
        |token| token != 1,
        |candidates| candidates.retain(|(token, _)| *token == 2),
    );

    assert_eq!(token, Some(2));
}

#[test]
fn when_nothing_is_allowed_there_is_no_token() {
    let mut sampler = sampler(|_| {});

    assert_eq!(sampler.choose(&LOGITS, |_| false, Vec::clear), None);
}

#[test]
fn logits_that_are_no_numbers_do_not_panic() {
    for logits in [
        [f32::NAN; 3],
        [f32::INFINITY; 3],
        [f32::NEG_INFINITY; 3],
        [f32::NAN, 1.0, f32::NEG_INFINITY],
    ] {
        let mut sampler = sampler(|params| {
            params.top_k = 2;
            params.top_p = 0.5;
        });
        let _ = sampler.choose(&logits, |_| true, |_| {});
    }
    assert_eq!(sampler(|_| {}).choose(&[], |_| true, |_| {}), None);
}

#[test]
fn log_probabilities_are_normalised_and_sorted() {
    let (chosen, top) = logprobs(&LOGITS, 3, 3);

    assert!(
        (chosen.logprob - 0.2341_f32.ln()).abs() < 1e-3,
        "{chosen:?}"
    );
    assert_eq!(top.iter().map(|s| s.token).collect::<Vec<_>>(), [1, 3, 2]);
    assert!((top[0].logprob - 0.6364_f32.ln()).abs() < 1e-3);
}

fn sampler(change: impl FnOnce(&mut SamplingParams)) -> Sampler {
    let mut params = plain();
    change(&mut params);
    Sampler::new(params, &[])
}

fn plain() -> SamplingParams {
    SamplingParams {
        temperature: 1.0,
        top_p: 1.0,
        top_k: 0,
        min_p: 0.0,
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        repeat_penalty: 1.0,
        logit_bias: Vec::new(),
        seed: 1,
    }
}

fn draw(sampler: &mut Sampler) -> Option<u32> {
    sampler.choose(&LOGITS, |_| true, |_| {})
}
