//! The exchange under attack: what a relay or operator can do to bytes.

use subrosa_attest::UnixSeconds;

use crate::fixtures::{
    HEADER_LEN, NOW, Started, TestRng, WEIGHTS, answer, epoch, gateway, node, params, request,
    start,
};
use crate::request::{Draft, Sealing};
use crate::{
    AnswerError, Gateway, InnerRequest, KeyConfiguration, OpenError, OpenResponseError, Profile,
    ResponseClass, ResponseEvent, ResponseHead, ResponseOpener, ResponseSecrecy, SealError,
    SealOptions, SealedRequest, absent_weights, seal_request,
};

use OpenResponseError as E;
use ResponseClass::{Stream, Whole};

/// Feeds the pieces and ends the stream.
fn open(opener: &mut ResponseOpener, pieces: &[Vec<u8>]) -> Result<Vec<ResponseEvent>, E> {
    let mut events = Vec::new();
    for piece in pieces {
        opener.push(piece, &mut events)?;
    }
    opener.finish()?;
    Ok(events)
}

fn body(events: &[ResponseEvent]) -> Vec<u8> {
    let bodies = events.iter().filter_map(|event| match event {
        ResponseEvent::Body(body) => Some(body.0.to_vec()),
        _ => None,
    });
    bodies.collect::<Vec<_>>().concat()
}

fn exchange(profile: Profile, class: ResponseClass) -> (ResponseOpener, Vec<Vec<u8>>) {
    let Started { opener, opened, .. } = start(profile, 1);
    let wire = answer(opened, class, &[b'x'; 1000]);
    (opener, wire)
}

fn opens_to(bytes: &[u8], now: u64, gateway: &Gateway) -> &'static str {
    gateway
        .open(bytes, now)
        .map_or_else(|error| error.code(), |_| "opened")
}

fn sealed(seed: u64) -> Vec<u8> {
    let options = SealOptions::default();
    let sealed = seal_request(
        &node(&epoch(1)),
        &request(),
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(seed),
    );
    sealed.unwrap().bytes
}

// --- What works ---------------------------------------------------------

#[test]
fn a_request_and_its_answer_arrive_whole_in_every_shape() {
    for profile in Profile::ALL {
        for class in [Stream, Whole] {
            let Started {
                mut opener, opened, ..
            } = start(profile, 1);
            assert_eq!(opened.request, request());
            let wire = answer(opened, class, &vec![b'x'; 40_000]);
            let events = open(&mut opener, &wire).unwrap();
            assert!(matches!(&events[0], ResponseEvent::Head(head) if head.status == 200));
            assert_eq!(body(&events), vec![b'x'; 40_000]);
            assert!(matches!(events.last(), Some(ResponseEvent::Complete(_))));
            assert!(opener.has_ended());
        }
    }
}

#[test]
fn an_answer_opens_however_the_network_cuts_it_into_pieces() {
    let (mut opener, wire) = exchange(Profile::Balanced, Stream);
    let bytes: Vec<Vec<u8>> = wire.concat().into_iter().map(|byte| vec![byte]).collect();
    assert_eq!(body(&open(&mut opener, &bytes).unwrap()), vec![b'x'; 1000]);
}

#[test]
fn a_request_of_many_chunks_opens() {
    let mut request = request();
    request.body = vec![7; 100_000];
    let options = SealOptions::default();
    let sealed = seal_request(
        &node(&epoch(1)),
        &request,
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(5),
    )
    .unwrap();
    let opened = gateway(epoch(1)).open(&sealed.bytes, NOW).unwrap();
    assert_eq!(opened.request, request);
}

#[test]
fn an_exchange_without_a_client_ephemeral_works_and_is_shorter() {
    let options = SealOptions {
        response_secrecy: ResponseSecrecy::KeyOnly,
        ..SealOptions::default()
    };
    let mut short = seal_request(
        &node(&epoch(1)),
        &request(),
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(5),
    )
    .unwrap();
    assert_eq!(short.bytes.len() + 1216, sealed(5).len());
    let opened = gateway(epoch(1)).open(&short.bytes, NOW).unwrap();
    let wire = answer(opened, Whole, b"ok");
    assert_eq!(body(&open(&mut short.opener, &wire).unwrap()), b"ok");
}

// --- Shapes -------------------------------------------------------------

#[test]
fn requests_of_one_bucket_have_one_size() {
    let size = |len| {
        let mut request = request();
        request.body = vec![b'a'; len];
        let options = SealOptions::default();
        seal_request(
            &node(&epoch(1)),
            &request,
            &options,
            UnixSeconds::new(NOW),
            &mut TestRng(1),
        )
        .unwrap()
        .bytes
        .len()
    };
    assert_eq!(size(1), size(900));
    assert_ne!(size(900), size(1100));
}

#[test]
fn streams_of_one_bucket_have_one_size_and_equal_records() {
    let wire = |len| {
        let Started { opened, .. } = start(Profile::Balanced, 1);
        answer(opened, Stream, &vec![b'x'; len])
    };
    let (short, long) = (wire(1), wire(2000));
    assert_eq!(short.len(), 1 + 16);
    assert_eq!(long.len(), short.len());
    assert!(long[1..].iter().all(|record| record.len() == 2 + 256 + 16));
}

#[test]
fn whole_answers_of_one_bucket_have_one_size() {
    let size = |len| {
        let Started { opened, .. } = start(Profile::Balanced, 1);
        answer(opened, Whole, &vec![b'x'; len]).concat().len()
    };
    assert_eq!(size(1), size(500));
    assert_eq!(size(1) - HEADER_LEN, 1024 + 2 + 16 + 2);
}

#[test]
fn a_tick_without_content_still_sends_a_record() {
    let Started {
        opened, mut opener, ..
    } = start(Profile::Strict, 1);
    let mut sealer = opened.responder.start(Stream, &mut TestRng(3)).unwrap();
    assert_eq!(sealer.tick(), Some(core::time::Duration::from_millis(50)));
    let mut wire = Vec::new();
    for _ in 0..5 {
        sealer.poll(&mut wire);
    }
    let mut events = Vec::new();
    opener.push(&wire, &mut events).unwrap();
    assert_eq!(wire.len(), HEADER_LEN + 5 * (2 + 512 + 16));
    assert!(events.is_empty());
}

#[test]
fn a_server_that_lowers_the_shape_is_refused() {
    let sealed = |profile| {
        let options = SealOptions {
            profile,
            ..SealOptions::default()
        };
        seal_request(
            &node(&epoch(1)),
            &request(),
            &options,
            UnixSeconds::new(NOW),
            &mut TestRng(9),
        )
        .unwrap()
    };
    for class in [Stream, Whole] {
        let mut ours = sealed(Profile::Balanced);
        let mut opened = gateway(epoch(1)).open(&ours.bytes, NOW).unwrap();
        opened.responder.lower_profile();
        let wire = answer(opened, class, b"answer");
        let error = open(&mut ours.opener, &wire).unwrap_err();
        assert!(matches!(error, E::ShapeViolated { .. }), "{error:?}");
    }
}

// --- F1: truncation -----------------------------------------------------

#[test]
fn a_cut_at_any_record_before_complete_is_an_error() {
    for (profile, class) in [(Profile::Off, Stream), (Profile::Balanced, Stream)] {
        let (_, wire) = exchange(profile, class);
        let complete = 1 + complete_record(profile, class, &wire);
        for records in 0..complete {
            let (mut opener, wire) = exchange(profile, class);
            let error = open(&mut opener, &wire[..records]).unwrap_err();
            let arrived = u64::try_from(records.saturating_sub(1)).unwrap();
            assert_eq!(error, E::Truncated { records: arrived });
        }
    }
}

#[test]
fn a_cut_at_any_byte_before_complete_is_an_error() {
    let (_, wire) = exchange(Profile::Balanced, Stream);
    let complete = complete_record(Profile::Balanced, Stream, &wire);
    let end: usize = wire[..=complete].iter().map(Vec::len).sum();
    let bytes = wire.concat();
    for cut in 0..end {
        let (mut opener, _) = exchange(Profile::Balanced, Stream);
        let error = open(&mut opener, &[bytes[..cut].to_vec()]).unwrap_err();
        assert!(matches!(error, E::Truncated { .. }), "byte {cut}");
    }
}

#[test]
fn a_cut_behind_complete_is_harmless() {
    let (mut opener, wire) = exchange(Profile::Balanced, Stream);
    let complete = complete_record(Profile::Balanced, Stream, &wire);
    let events = open(&mut opener, &wire[..=complete]).unwrap();
    assert_eq!(body(&events).len(), 1000);
    assert!(!opener.has_ended());
}

#[test]
fn a_whole_answer_cut_anywhere_is_an_error() {
    let (_, wire) = exchange(Profile::Balanced, Whole);
    let bytes = wire.concat();
    for cut in 0..bytes.len() {
        let (mut opener, _) = exchange(Profile::Balanced, Whole);
        let error = open(&mut opener, &[bytes[..cut].to_vec()]).unwrap_err();
        assert!(matches!(error, E::Truncated { .. }), "byte {cut}");
    }
}

/// The index in `wire` of the piece with which the answer is complete.
fn complete_record(profile: Profile, class: ResponseClass, wire: &[Vec<u8>]) -> usize {
    let (mut opener, _) = exchange(profile, class);
    let mut events = Vec::new();
    wire.iter()
        .position(|piece| {
            opener.push(piece, &mut events).unwrap();
            matches!(events.last(), Some(ResponseEvent::Complete(_)))
        })
        .unwrap()
}

// --- F3, F26, F27: forged, moved, reflected, injected ---------------------

#[test]
fn a_record_moved_doubled_or_dropped_is_refused() {
    let edits: [fn(&mut Vec<Vec<u8>>); 3] = [
        |wire| wire.swap(2, 3),
        |wire| wire.insert(3, wire[2].clone()),
        |wire| drop(wire.remove(2)),
    ];
    for edit in edits {
        let (mut opener, mut wire) = exchange(Profile::Balanced, Stream);
        edit(&mut wire);
        let error = open(&mut opener, &wire).unwrap_err();
        assert!(matches!(error, E::RecordForged { .. }), "{error:?}");
    }
}

#[test]
fn any_changed_byte_of_header_or_record_is_refused() {
    let (_, wire) = exchange(Profile::Off, Whole);
    let bytes = wire.concat();
    for at in (0..bytes.len())
        .step_by(7)
        .chain(HEADER_LEN..HEADER_LEN + 4)
    {
        let (mut opener, _) = exchange(Profile::Off, Whole);
        let mut changed = bytes.clone();
        changed[at] ^= 0x20;
        assert!(open(&mut opener, &[changed]).is_err(), "byte {at}");
    }
}

#[test]
fn the_clients_own_request_is_no_answer() {
    let Started {
        sent, mut opener, ..
    } = start(Profile::Balanced, 1);
    assert_eq!(open(&mut opener, &[sent]).unwrap_err(), E::UnknownHeader);
}

#[test]
fn the_clients_own_ciphertext_does_not_open_as_a_record() {
    let Started {
        sent,
        mut opener,
        opened,
    } = start(Profile::Off, 1);
    let mut wire = answer(opened, Stream, b"x");
    let piece = &sent[sent.len() - 300..];
    wire[1] = [&300_u16.to_be_bytes()[..], piece].concat();
    let error = open(&mut opener, &wire).unwrap_err();
    assert_eq!(error, E::RecordForged { number: 0 });
}

#[test]
fn answers_swapped_between_two_requests_do_not_open() {
    let mut first = start(Profile::Balanced, 1);
    let second = start(Profile::Balanced, 2);
    let wire = answer(second.opened, Stream, b"for the second");
    let error = open(&mut first.opener, &wire).unwrap_err();
    assert_eq!(error, E::RecordForged { number: 0 });
}

#[test]
fn answers_swapped_between_two_requests_to_one_key_do_not_open() {
    let epoch = epoch(1);
    let node = node(&epoch);
    let gateway = gateway(epoch);
    let seal = |seed| {
        seal_request(
            &node,
            &request(),
            &SealOptions::default(),
            UnixSeconds::new(NOW),
            &mut TestRng(seed),
        )
    };
    let (mut first, second) = (seal(5).unwrap(), seal(6).unwrap());
    let wire = answer(gateway.open(&second.bytes, NOW).unwrap(), Stream, b"x");
    let error = open(&mut first.opener, &wire).unwrap_err();
    assert_eq!(error, E::RecordForged { number: 0 });
}

#[test]
fn records_spliced_in_from_another_answer_do_not_open() {
    let (mut opener, mut wire) = exchange(Profile::Balanced, Stream);
    let other = start(Profile::Balanced, 2);
    wire[3] = answer(other.opened, Stream, &[b'y'; 1000])[3].clone();
    assert_eq!(
        open(&mut opener, &wire).unwrap_err(),
        E::RecordForged { number: 2 }
    );
}

#[test]
fn a_plaintext_line_injected_anywhere_is_an_error() {
    let line = b"data: {\"choices\":[]}\n\n".to_vec();
    for at in 0..4 {
        let (mut opener, mut wire) = exchange(Profile::Balanced, Stream);
        wire.insert(at, line.clone());
        let mut events = Vec::new();
        let result = wire
            .iter()
            .try_for_each(|piece| opener.push(piece, &mut events));
        assert!(result.is_err(), "before piece {at}");
        assert!(!body(&events).windows(7).any(|window| window == b"choices"));
    }
}

#[test]
fn bytes_after_the_last_record_are_an_error() {
    let (mut opener, mut wire) = exchange(Profile::Balanced, Stream);
    wire.push(b"more".to_vec());
    assert!(matches!(
        open(&mut opener, &wire).unwrap_err(),
        E::RecordForged { .. }
    ));
}

#[test]
fn a_failed_opener_stays_failed() {
    let (mut opener, mut wire) = exchange(Profile::Balanced, Stream);
    let good = wire[1].clone();
    wire[1][5] ^= 1;
    let error = open(&mut opener, &wire).unwrap_err();
    assert_eq!(opener.push(&good, &mut Vec::new()).unwrap_err(), error);
    assert_eq!(opener.finish().unwrap_err(), error);
}

#[test]
fn a_receipt_signed_by_another_key_ends_nothing() {
    let mut ours = start(Profile::Off, 1);
    ours.opened
        .responder
        .replace_signer(&start(Profile::Off, 2).opened.responder);
    let wire = answer(ours.opened, Stream, b"x");
    assert_eq!(
        open(&mut ours.opener, &wire).unwrap_err(),
        E::ReceiptInvalid
    );
}

#[test]
fn frames_out_of_order_cannot_be_sealed() {
    let Started { opened, .. } = start(Profile::Off, 1);
    let mut sealer = opened.responder.start(Whole, &mut TestRng(3)).unwrap();
    assert_eq!(sealer.body(b"x"), Err(AnswerError::Order));
    sealer.head(&ResponseHead::new(200, "text/plain")).unwrap();
    assert_eq!(
        sealer.head(&ResponseHead::new(200, "text/plain")),
        Err(AnswerError::Order)
    );
    sealer.complete(&WEIGHTS).unwrap();
    assert_eq!(sealer.body(b"x"), Err(AnswerError::Order));
}

// --- F4, F5, F18: replay and keys ----------------------------------------

#[test]
fn a_replayed_request_is_refused() {
    let gateway = gateway(epoch(1));
    let bytes = sealed(5);
    assert_eq!(opens_to(&bytes, NOW, &gateway), "opened");
    assert_eq!(opens_to(&bytes, NOW, &gateway), "replayed");
}

#[test]
fn a_request_that_did_not_authenticate_leaves_no_trace_in_the_register() {
    let gateway = gateway(epoch(1));
    let bytes = sealed(5);
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(opens_to(&forged, NOW, &gateway), "decapsulation-failed");
    assert_eq!(opens_to(&bytes, NOW, &gateway), "opened");
}

#[test]
fn a_full_register_refuses_inside_the_seal() {
    let gateway = gateway(epoch(1));
    for seed in 0..64 {
        assert_eq!(opens_to(&sealed(100 + seed), NOW, &gateway), "opened");
    }
    let options = SealOptions::default();
    let mut over = seal_request(
        &node(&epoch(1)),
        &request(),
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(5),
    )
    .unwrap();
    let error = gateway.open(&over.bytes, NOW).unwrap_err();
    assert_eq!(error.code(), "register-full");
    let mut sealer = error
        .into_responder()
        .unwrap()
        .start(Whole, &mut TestRng(6))
        .unwrap();
    sealer
        .head(&ResponseHead::new(503, "application/json"))
        .unwrap();
    sealer.complete(&absent_weights()).unwrap();
    let mut wire = Vec::new();
    sealer.poll(&mut wire);
    let events = open(&mut over.opener, &[wire]).unwrap();
    assert!(matches!(&events[0], ResponseEvent::Head(head) if head.status == 503));
}

#[test]
fn an_erased_epoch_never_opens_again() {
    let mut gateway = gateway(epoch(1));
    let bytes = sealed(5);
    assert_eq!(gateway.erase_expired(params().not_after - 1), 0);
    assert_eq!(gateway.erase_expired(params().not_after), 1);
    assert_eq!(opens_to(&bytes, NOW, &gateway), "unknown-key");
}

#[test]
fn a_key_opens_only_within_its_life() {
    let gateway = gateway(epoch(1));
    let bytes = sealed(5);
    assert_eq!(
        opens_to(&bytes, params().not_before - 1, &gateway),
        "key-not-yet-valid"
    );
    assert_eq!(
        opens_to(&bytes, params().not_after, &gateway),
        "key-expired"
    );
    assert_eq!(opens_to(&bytes, params().not_before, &gateway), "opened");
}

#[test]
fn nothing_is_sealed_to_a_key_whose_life_is_over() {
    let node = node(&epoch(1));
    let seal = |now| {
        let (options, now) = (SealOptions::default(), UnixSeconds::new(now));
        seal_request(&node, &request(), &options, now, &mut TestRng(5)).map(|_| ())
    };
    let not_after = params().not_after;
    assert_eq!(seal(not_after - 1), Ok(()));
    for now in [not_after, not_after + 1] {
        assert_eq!(seal(now), Err(SealError::KeyExpired { not_after, now }));
    }
}

#[test]
fn a_request_carries_the_name_it_was_given_and_else_one_of_its_own() {
    let seal = |request_id, seed| {
        let options = SealOptions {
            request_id,
            token: b"token".to_vec().into(),
            ..SealOptions::default()
        };
        let now = UnixSeconds::new(NOW);
        seal_request(
            &node(&epoch(1)),
            &request(),
            &options,
            now,
            &mut TestRng(seed),
        )
        .unwrap()
    };
    let gateway = gateway(epoch(1));
    let (first, other) = (seal(None, 5), seal(None, 600));
    assert_ne!(first.request_id, other.request_id);
    let again = seal(Some(first.request_id), 7000);
    assert_eq!(again.request_id, first.request_id);
    for sealed in [first, again] {
        let opened = gateway.open(&sealed.bytes, NOW).unwrap();
        assert_eq!(opened.request_id, sealed.request_id);
        assert_eq!(opened.token.as_slice(), b"token");
    }
}

#[test]
fn a_request_for_a_foreign_key_is_refused() {
    assert_eq!(opens_to(&sealed(5), NOW, &gateway(epoch(2))), "unknown-key");
}

#[test]
fn a_restarted_enclave_opens_nothing_from_before() {
    let bytes = sealed(5);
    assert_eq!(opens_to(&bytes, NOW, &gateway(epoch(1))), "opened");
    assert_eq!(opens_to(&bytes, NOW, &gateway(epoch(3))), "unknown-key");
}

#[test]
fn a_request_with_another_key_id_does_not_open_under_it() {
    let mut bytes = sealed(5);
    bytes[1..17].copy_from_slice(&epoch(2).key_configuration().key_id().0);
    assert_eq!(
        opens_to(&bytes, NOW, &gateway(epoch(2))),
        "decapsulation-failed"
    );
}

#[test]
fn a_request_sealed_to_a_changed_configuration_of_the_same_key_does_not_open() {
    // The relay hands out the genuine key with one other field changed, and
    // renames the request; the info string binds every bit, so it stays shut.
    let genuine = epoch(1);
    let mut bytes = genuine.key_configuration().as_bytes().to_vec();
    bytes[60] ^= 1;
    let forged = crate::node::UncheckedNode(KeyConfiguration::parse(&bytes).unwrap());
    let options = SealOptions::default();
    let mut sealed = seal_request(
        &forged,
        &request(),
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(5),
    )
    .unwrap()
    .bytes;
    sealed[1..17].copy_from_slice(&genuine.key_configuration().key_id().0);
    assert_eq!(
        opens_to(&sealed, NOW, &gateway(genuine)),
        "decapsulation-failed"
    );
}

// --- Malformed requests ---------------------------------------------------

#[test]
fn every_cut_request_is_refused() {
    let gateway = gateway(epoch(1));
    let bytes = sealed(5);
    for len in (0..bytes.len()).step_by(11).chain([bytes.len() - 1]) {
        assert_ne!(
            opens_to(&bytes[..len], NOW, &gateway),
            "opened",
            "{len} bytes"
        );
    }
}

#[test]
fn another_version_is_refused() {
    let mut bytes = sealed(5);
    bytes[0] = 2;
    assert_eq!(opens_to(&bytes, NOW, &gateway(epoch(1))), "unknown-version");
    assert_eq!(opens_to(&[], NOW, &gateway(epoch(1))), "unknown-version");
}

/// What a request is refused as whose authenticated plaintext `edit` changed.
fn resealed(edit: impl Fn(&mut Vec<u8>)) -> OpenError {
    let bytes = seal_edited(5, edit).bytes;
    gateway(epoch(1)).open(&bytes, NOW).unwrap_err()
}

/// A request whose plaintext `edit` has changed before it was sealed.
fn seal_edited(seed: u64, edit: impl Fn(&mut Vec<u8>)) -> SealedRequest {
    let (options, mut rng) = (SealOptions::default(), TestRng(seed));
    let mut draft = Draft::new(&request(), &options, &mut rng).unwrap();
    edit(&mut draft.plaintext);
    let epoch = epoch(1);
    let sealed = draft.seal(epoch.key_configuration(), &Sealing::STANDARD, &mut rng);
    sealed.unwrap()
}

/// A request cut into chunks, or marked, in another way.
fn seal_cut(request: &InnerRequest, sealing: &Sealing<'_>) -> Vec<u8> {
    let (options, mut rng) = (SealOptions::default(), TestRng(5));
    let draft = Draft::new(request, &options, &mut rng).unwrap();
    let epoch = epoch(1);
    let sealed = draft.seal(epoch.key_configuration(), sealing, &mut rng);
    sealed.unwrap().bytes
}

#[test]
fn a_request_whose_shape_or_answer_key_cannot_be_read_is_refused_in_the_clear() {
    let edits: [fn(&mut Vec<u8>); 5] = [
        |plain| plain[16] = 3,
        |plain| plain[17] = 2,
        |plain| plain[18..21].fill(0xff),
        |plain| plain.truncate(17),
        |plain| plain.truncate(18 + 1215),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let error = resealed(edit);
        assert!(
            matches!(error, OpenError::Malformed(None)),
            "edit {number}: {error:?}"
        );
    }
}

#[test]
fn each_field_behind_the_answer_key_is_checked_and_refused_inside_the_seal() {
    const TOKEN: usize = 18 + 1216;
    let edits: [fn(&mut Vec<u8>); 8] = [
        |plain| plain[17] = 0,
        |plain| plain[TOKEN..TOKEN + 2].copy_from_slice(&1025_u16.to_be_bytes()),
        |plain| plain[TOKEN + 2..TOKEN + 6].copy_from_slice(&u32::MAX.to_be_bytes()),
        |plain| plain.truncate(TOKEN),
        |plain| plain.truncate(TOKEN + 5),
        |plain| *plain.last_mut().unwrap() = 1,
        |plain| plain.push(0),
        |plain| plain.truncate(plain.len() - 1),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let error = resealed(edit);
        assert!(
            matches!(error, OpenError::Malformed(Some(_))),
            "edit {number}: {error:?}"
        );
    }
}

#[test]
fn a_token_of_the_full_length_opens_and_one_more_byte_does_not() {
    let seal = |edit: &dyn Fn(&mut Vec<u8>)| seal_edited(5, edit).bytes;
    let with = |plain: &mut Vec<u8>, len: u16| {
        const TOKEN: usize = 18 + 1216;
        let token = [&len.to_be_bytes()[..], &vec![7; usize::from(len)]].concat();
        plain.splice(TOKEN..TOKEN + 2, token);
    };
    let longest = seal(&|plain: &mut Vec<u8>| with(plain, 1024));
    let opened = gateway(epoch(1)).open(&longest, NOW).unwrap();
    assert_eq!(opened.token.as_slice(), [7; 1024]);
    let over = seal(&|plain: &mut Vec<u8>| with(plain, 1025));
    assert_eq!(
        opens_to(&over, NOW, &gateway(epoch(1))),
        "malformed-request"
    );
}

#[test]
fn a_sealed_refusal_of_bad_framing_reaches_the_device() {
    let mut sent = seal_edited(5, |plain| *plain.last_mut().unwrap() = 1);
    let error = gateway(epoch(1)).open(&sent.bytes, NOW).unwrap_err();
    assert_eq!(error.code(), "malformed-request");
    let mut sealer = error
        .into_responder()
        .unwrap()
        .start(Whole, &mut TestRng(6))
        .unwrap();
    sealer
        .head(&ResponseHead::new(400, "application/json"))
        .unwrap();
    sealer.complete(&absent_weights()).unwrap();
    let mut wire = Vec::new();
    sealer.poll(&mut wire);
    let events = open(&mut sent.opener, &[wire]).unwrap();
    assert!(matches!(&events[0], ResponseEvent::Head(head) if head.status == 400));
    assert!(matches!(events.last(), Some(ResponseEvent::Complete(_))));
}

#[test]
fn a_malformed_request_is_entered_in_the_register_like_any_other() {
    let edits: [fn(&mut Vec<u8>); 2] = [
        |plain| plain[16] = 3,
        |plain| *plain.last_mut().unwrap() = 1,
    ];
    let gateway = gateway(epoch(1));
    for (seed, edit) in [(100, edits[0]), (200, edits[1])] {
        let bytes = seal_edited(seed, edit).bytes;
        assert_eq!(opens_to(&bytes, NOW, &gateway), "malformed-request");
        assert_eq!(opens_to(&bytes, NOW, &gateway), "replayed");
    }
}

#[test]
fn the_register_knows_an_encapsulation_whatever_was_sealed_with_it() {
    // The same generator makes the same encapsulation for another message.
    let node = node(&epoch(1));
    let seal = |body: &[u8]| {
        let mut request = request();
        request.body = body.to_vec();
        let options = SealOptions::default();
        seal_request(
            &node,
            &request,
            &options,
            UnixSeconds::new(NOW),
            &mut TestRng(5),
        )
        .unwrap()
        .bytes
    };
    let (first, second) = (seal(b"one"), seal(b"two"));
    assert_eq!(first[..17 + 1120], second[..17 + 1120]);
    assert_ne!(first, second);
    let gateway = gateway(epoch(1));
    assert_eq!(opens_to(&first, NOW, &gateway), "opened");
    assert_eq!(opens_to(&second, NOW, &gateway), "replayed");
}

#[test]
fn the_last_chunk_must_be_marked_as_such_and_no_other() {
    let seal = |not_final: &[u8], last: &[u8]| {
        let mut request = request();
        request.body = vec![7; 40_000];
        let sealing = Sealing {
            not_final,
            last,
            ..Sealing::STANDARD
        };
        seal_cut(&request, &sealing)
    };
    let opens = |bytes: Vec<u8>| opens_to(&bytes, NOW, &gateway(epoch(1)));
    assert_eq!(opens(seal(b"", b"final")), "opened");
    assert_eq!(opens(seal(b"", b"")), "decapsulation-failed");
    assert_eq!(opens(seal(b"final", b"final")), "decapsulation-failed");
}

#[test]
fn a_last_chunk_over_the_size_of_a_chunk_is_refused() {
    let seal = |chunk_len| {
        let mut request = request();
        request.body = vec![7; 40_000];
        let sealing = Sealing {
            chunk_len,
            ..Sealing::STANDARD
        };
        seal_cut(&request, &sealing)
    };
    assert_eq!(opens_to(&seal(16_384), NOW, &gateway(epoch(1))), "opened");
    assert_eq!(
        opens_to(&seal(1 << 20), NOW, &gateway(epoch(1))),
        "decapsulation-failed"
    );
}

#[test]
fn an_inner_message_that_is_no_request_is_refused_inside_the_seal() {
    let error = resealed(|plain| plain[18 + 1216 + 2 + 4] = 1);
    assert!(matches!(error, OpenError::Malformed(Some(_))));
}

#[test]
fn a_request_over_the_limit_is_refused_before_any_work() {
    let gateway = gateway(epoch(1));
    let refused = |len| opens_to(&vec![1; len], NOW, &gateway);
    assert_eq!(refused(16_809_984), "unknown-key");
    assert_eq!(refused(16_809_985), "request-too-large");
    let mut request = request();
    request.body = vec![0; 16 << 20];
    let options = SealOptions::default();
    let error = seal_request(
        &node(&epoch(1)),
        &request,
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(1),
    )
    .unwrap_err();
    assert!(matches!(error, SealError::TooLarge { .. }));
}

#[test]
fn the_largest_message_seals_and_opens() {
    let mut request = request();
    let framing = request.encode().unwrap().len() + 4 - request.body.len();
    // Lengths above 16,383 take 4 bytes instead of 1.
    request.body = vec![7; (16 << 20) - framing - 3];
    let seal = |request: &InnerRequest| {
        let (options, now) = (SealOptions::default(), UnixSeconds::new(NOW));
        seal_request(&node(&epoch(1)), request, &options, now, &mut TestRng(1))
    };
    let sealed = seal(&request).unwrap();
    assert_eq!(opens_to(&sealed.bytes, NOW, &gateway(epoch(1))), "opened");
    request.body.push(7);
    assert!(matches!(seal(&request), Err(SealError::TooLarge { .. })));
}

#[test]
fn a_token_over_its_limit_is_refused() {
    let options = SealOptions {
        token: vec![0; 1025].into(),
        ..SealOptions::default()
    };
    let error = seal_request(
        &node(&epoch(1)),
        &request(),
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(1),
    )
    .unwrap_err();
    assert_eq!(
        error,
        SealError::TooLarge {
            got: 1025,
            limit: 1024
        }
    );
}

#[test]
fn a_request_cut_into_small_chunks_is_refused() {
    let seal = |chunk_len| {
        let sealing = Sealing {
            chunk_len,
            ..Sealing::STANDARD
        };
        seal_cut(&request(), &sealing)
    };
    assert_eq!(opens_to(&seal(16_384), NOW, &gateway(epoch(1))), "opened");
    assert_eq!(
        opens_to(&seal(100), NOW, &gateway(epoch(1))),
        "decapsulation-failed"
    );
}

#[test]
fn a_whole_answer_in_bare_records_is_refused_though_no_last_one_comes() {
    let Started {
        mut opener, opened, ..
    } = start(Profile::Strict, 1);
    let mut sealer = opened.responder.start(Whole, &mut TestRng(3)).unwrap();
    let mut wire = Vec::new();
    sealer.poll(&mut wire);
    sealer.head(&ResponseHead::new(200, "text/plain")).unwrap();
    sealer.bare_record(&mut wire);
    let error = open(&mut opener, &[wire]).unwrap_err();
    assert_eq!(error, E::ShapeViolated { number: 0 });
}

#[test]
fn a_receipt_for_another_message_ends_nothing() {
    let Started {
        mut opener, opened, ..
    } = start(Profile::Off, 1);
    let mut sealer = opened.responder.start(Stream, &mut TestRng(3)).unwrap();
    let mut wire = Vec::new();
    sealer.head(&ResponseHead::new(200, "text/plain")).unwrap();
    sealer.commit_to_another_message();
    sealer.complete(&WEIGHTS).unwrap();
    sealer.poll(&mut wire);
    assert_eq!(open(&mut opener, &[wire]).unwrap_err(), E::ReceiptInvalid);
}

#[test]
fn debug_output_shows_no_token() {
    let options = SealOptions {
        token: b"bearer".to_vec().into(),
        ..SealOptions::default()
    };
    let sealed = seal_request(
        &node(&epoch(1)),
        &request(),
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(5),
    )
    .unwrap();
    let opened = gateway(epoch(1)).open(&sealed.bytes, NOW).unwrap();
    assert_eq!(opened.token.as_slice(), b"bearer");
    assert!(!format!("{options:?} {opened:?}").contains("98, 101"));
}

#[test]
fn debug_output_shows_no_secret_and_no_text() {
    let Started { opener, opened, .. } = start(Profile::Off, 1);
    let text = format!("{opener:?} {opened:?} {:?}", OpenError::Malformed(None));
    assert!(
        !text.contains("messages") && !text.contains("chat"),
        "{text}"
    );
}

proptest::proptest! {
    #[test]
    fn no_answer_bytes_panic_or_complete(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..3000)) {
        let Started { mut opener, .. } = start(Profile::Balanced, 1);
        let mut wire = vec![1, 1, 1];
        wire.extend(bytes);
        proptest::prop_assert!(open(&mut opener, &[wire]).is_err());
    }
}
