//! Writes the seeds that are made by our own code: `cargo run --example seeds` in this folder.

use std::fs;
use std::path::{Path, PathBuf};

use subrosa_api::event::{Event, FinishReason, Start};
use subrosa_api::request::Api;
use subrosa_attest::Bundle;
use subrosa_attest::bundle::SnpEvidence;
use subrosa_attest::snp::KeyKind;
use subrosa_channel::InnerRequest;
use subrosa_fuzz::key_configuration;

fn main() -> std::io::Result<()> {
    let request = InnerRequest {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: br#"{"model":"subrosa-demo","messages":[{"role":"user","content":"hi"}]}"#.to_vec(),
    };
    let message = request.encode().expect("the request is valid");
    write("key_configuration", "one_model", key_configuration())?;
    write("inner_request", "chat", &message)?;
    write(
        "request_open",
        "sealed_balanced",
        &[&[1], plaintext(&message).as_slice()].concat(),
    )?;
    write("request_open", "sealed_empty", &[1])?;
    write("request_open", "forged", &forged())?;
    write("event_decoder", "text", &events())?;
    write("dcap_quote", "trust_domain", &quote(5, 0x81, 648))?;
    write("dcap_quote", "enclave", &quote(3, 0, 384))?;
    write("dcap_collateral", "tcb_info", TCB_INFO.as_bytes())?;
    write("dcap_collateral", "identity", IDENTITY.as_bytes())?;
    write("event_log", "two_events", &event_log())?;
    write("event_log", "dstack", DSTACK_LOG.as_bytes())?;
    write("nitro_document", "unsigned", &nitro_document())?;
    write("cca_token", "collection", &cca_token(false))?;
    write("cca_token", "records", &cca_token(true))?;
    write("psa_token", "rfc9783", &psa_token(false))?;
    write("psa_token", "old_labels", &psa_token(true))?;
    write("tpm_quote", "eight_registers", &tpm_quote())?;
    write("tpm_public", "p256", &tpm_public())?;
    write("azure_report", "sev_snp", &azure_report())?;
    write("azure_report", "runtime_data", RUNTIME_DATA)?;
    write("nvidia_report", "two_blocks", &device_report())?;
    write("nvidia_manifest", "two_measurements", manifest().as_bytes())?;
    collateral()?;
    log()?;
    history()?;
    measurements()?;
    evidence()
}

/// What a store keeps, and lies about it.
fn history() -> std::io::Result<()> {
    write("history_bytes", "locked", subrosa_fuzz::history::locked())?;
    write("history_bytes", "roster", subrosa_fuzz::history::roster())?;
    let records = subrosa_fuzz::history::records();
    write("history_bytes", "record", &records[0])?;
    write("history_bytes", "manifest", &records[7])?;
    write(
        "history_bytes",
        "words",
        b"abandon ability able about above absent",
    )?;
    write("history_store", "nothing", &[])?;
    write("history_store", "removed", &[0, 2, 0])?;
    write(
        "history_store",
        "swapped_and_changed",
        &[1, 2, 3, 5, 4, 200],
    )?;
    write("history_store", "content_of_another", &[4, 2, 0])
}

/// Proofs and notes of the vectors.
fn log() -> std::io::Result<()> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../spec/vectors/transparency.json"
    );
    let vectors: serde_json::Value =
        serde_json::from_slice(&fs::read(path)?).expect("the vectors are JSON");
    let text = |pointer: &str| vectors.pointer(pointer).and_then(|text| text.as_str());
    for (name, pointer) in [
        ("release", "/entries/0/proof"),
        ("directory", "/entries/4/proof"),
        ("checkpoint", "/checkpoints/1/note"),
        ("witness_key", "/policy/witnesses/1"),
    ] {
        write(
            "log_proof",
            name,
            text(pointer).expect("it is there").as_bytes(),
        )?;
    }
    Ok(())
}

/// The images of the vectors, behind the byte that chooses the format.
fn measurements() -> std::io::Result<()> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../spec/vectors/measurements.json"
    );
    let vectors: serde_json::Value =
        serde_json::from_slice(&fs::read(path)?).expect("the vectors are JSON");
    for (choice, name, pointer) in [
        (0, "firmware_sev", "/firmware"),
        (1, "firmware_tdx", "/firmware"),
        (5, "unified_kernel", "/unified_kernel/image"),
    ] {
        let image = vectors.pointer(pointer).and_then(|text| text.as_str());
        let image = hex::decode(image.expect("it is there")).expect("hexadecimal");
        write(
            "launch_measurement",
            name,
            &[&[choice], &image[..]].concat(),
        )?;
    }
    let block = [&[3_u8][..], &[0; 80], &[1, 0, 0, 0], &[0; 12]].concat();
    write("launch_measurement", "id_block", &block)
}

/// The files that the vectors call good: one of each platform, under throw-away keys.
fn collateral() -> std::io::Result<()> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../spec/vectors/collateral.json"
    );
    let vectors: serde_json::Value =
        serde_json::from_slice(&fs::read(path)?).expect("the vectors are JSON");
    for good in vectors["good"].as_array().expect("there are good files") {
        let text = |name: &str| good[name].as_str().expect("it is text");
        let bytes = hex::decode(text("collateral")).expect("it is hexadecimal");
        write("collateral", text("kind"), &bytes)?;
    }
    Ok(())
}

/// A quote with keys and signatures of nobody, and no certificates.
fn quote(version: u8, environment: u8, body: usize) -> Vec<u8> {
    let mut quote = vec![version, 0, 2, 0, environment, 0, 0, 0, 0, 0, 0, 0];
    quote.extend([0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9]);
    quote.extend([0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07]);
    quote.extend([0; 20]);
    if version == 5 {
        quote.extend([3, 0]);
        quote.extend((body as u32).to_le_bytes());
    }
    quote.resize(quote.len() + body, 0);
    let mut enclave = vec![0; 384 + 64];
    enclave.extend([0, 0, 5, 0, 0, 0, 0, 0]);
    let mut signature = vec![0x51; 128];
    if version > 3 {
        signature.extend([6, 0]);
        signature.extend((enclave.len() as u32).to_le_bytes());
    }
    signature.extend(enclave);
    quote.extend((signature.len() as u32).to_le_bytes());
    quote.extend(signature);
    quote
}

/// A log of a trust domain with two measurements.
fn event_log() -> Vec<u8> {
    let mut log = vec![1, 0, 0, 0, 3, 0, 0, 0];
    log.extend([0; 20]);
    log.extend([33, 0, 0, 0]);
    log.extend(b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x01\0\0\0\x0C\0\x30\0\0");
    for register in 1..=2 {
        log.extend([register, 0, 0, 0, 13, 0, 0, 0, 1, 0, 0, 0, 0x0C, 0]);
        log.extend([register; 48]);
        log.extend([3, 0, 0, 0, b'a', b'b', b'c']);
    }
    log
}

const DSTACK_LOG: &str =
    r#"[{"imr":3,"event_type":134217729,"digest":"","event":"app-id","event_payload":"00ff"}]"#;

const TCB_INFO: &str = r#"{"version":2,"issueDate":"2025-01-01T00:00:00Z","nextUpdate":"2025-02-01T00:00:00Z","fmspc":"00906ED50000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":12,"tcbLevels":[{"tcb":{"sgxtcbcomp01svn":1,"sgxtcbcomp02svn":1,"sgxtcbcomp03svn":1,"sgxtcbcomp04svn":1,"sgxtcbcomp05svn":1,"sgxtcbcomp06svn":1,"sgxtcbcomp07svn":1,"sgxtcbcomp08svn":1,"sgxtcbcomp09svn":1,"sgxtcbcomp10svn":1,"sgxtcbcomp11svn":1,"sgxtcbcomp12svn":1,"sgxtcbcomp13svn":1,"sgxtcbcomp14svn":1,"sgxtcbcomp15svn":1,"sgxtcbcomp16svn":1,"pcesvn":7},"tcbDate":"2025-01-01T00:00:00Z","tcbStatus":"UpToDate"}]}"#;

const IDENTITY: &str = r#"{"id":"QE","version":2,"issueDate":"2025-01-01T00:00:00Z","nextUpdate":"2025-02-01T00:00:00Z","tcbEvaluationDataNumber":12,"miscselect":"00000000","miscselectMask":"FFFFFFFF","attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":"8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF","isvprodid":1,"tcbLevels":[{"tcb":{"isvsvn":8},"tcbDate":"2025-01-01T00:00:00Z","tcbStatus":"UpToDate"}]}"#;

/// A request for measurements and an answer of two blocks and two opaque fields, with a signature of nobody.
fn device_report() -> Vec<u8> {
    let mut report = vec![0x11, 0xE0, 1, 0xFF];
    report.extend([0xA7; 32]);
    report.extend([0, 0x11, 0x60, 0, 0, 2, 110, 0, 0]);
    for index in 1..=2 {
        report.extend([index, 1, 51, 0, 1, 48, 0]);
        report.extend([index; 48]);
    }
    report.extend([0x5E; 32]);
    let opaque = [&[3, 0, 7, 0][..], b"545.00\0", &[11, 0, 1, 0, 0xAA]].concat();
    report.extend((opaque.len() as u16).to_le_bytes());
    report.extend(opaque);
    report.extend([0x51; 96]);
    report
}

/// A manifest of the accepted form; digest, signature and certificates are nobody's.
fn manifest() -> String {
    let hash = "ab".repeat(48);
    let certificates = "<ds:X509Certificate>MAA=</ds:X509Certificate>".repeat(4);
    format!(
        "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" \
         xmlns:h=\"http://www.w3.org/2001/04/xmlenc#sha384\">\n\
         <Meta colloquialVersion=\"545.00\" edition=\"GPU\" product=\"GH100\"/>\n<Payload>\
         <Resource type=\"Measurement\" index=\"0\" active=\"True\" alternatives=\"1\" h:Hash0=\"{hash}\" size=\"48\"/>\
         <Resource type=\"Measurement\" index=\"1\" active=\"False\" alternatives=\"1\" h:Hash0=\"{hash}\" size=\"48\"/>\
         </Payload><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384\"/>\
         <ds:Reference URI=\"\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <ds:Transform Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"/></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#sha384\"/>\
         <ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ds:SignedInfo>\
         <ds:SignatureValue>AAAA</ds:SignatureValue><ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data></ds:KeyInfo>\
         </ds:Signature></SoftwareIdentity>"
    )
}

/// A short answer, in pieces of 5 bytes.
fn events() -> Vec<u8> {
    let mut bytes = vec![5];
    for event in [
        Event::Start(Start {
            api: Api::Chat,
            id: "chatcmpl-1".to_owned(),
            created: 1_800_000_000,
            model: "subrosa-demo".to_owned(),
        }),
        Event::TextDelta {
            choice: 0,
            text: "Hello".to_owned(),
        },
        Event::Finish {
            choice: 0,
            reason: FinishReason::Stop,
            stop_sequence: None,
        },
        Event::End,
    ] {
        event.encode(&mut bytes).expect("it is small");
    }
    bytes
}

/// A bundle around a public example of evidence. Its root is nobody's, so that it is refused.
fn evidence() -> std::io::Result<()> {
    let Some(folder) = std::env::var_os("SUBROSA_EVIDENCE").map(PathBuf::from) else {
        eprintln!(
            "SUBROSA_EVIDENCE is not set: the seeds of bundle and snp_report stay as they are"
        );
        return Ok(());
    };
    let read = |name| fs::read(folder.join("sev-snp/syn-control-accept").join(name));
    let der = |name| {
        let pem = String::from_utf8(read(name)?).expect("PEM is text");
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64);
        Ok::<_, std::io::Error>(bytes.expect("PEM holds base64"))
    };
    let report = read("report.bin")?;
    let bundle = Bundle::builder(key_configuration()).snp(SnpEvidence {
        report: &report,
        kind: KeyKind::Vcek,
        leaf: &read("vcek.der")?,
        intermediate: &der("ask.pem")?,
        root: &der("ark.pem")?,
        revocation_list: Some(&read("crl.der")?),
    });
    write("snp_report", "version_3", &report)?;
    write(
        "bundle",
        "sev_snp",
        bundle.build().expect("it is small").as_bytes(),
    )
}

/// A plaintext of spec/channel.md §2 in profile `balanced`, without an ephemeral key and a token.
fn plaintext(message: &[u8]) -> Vec<u8> {
    let mut plaintext = vec![7; 16];
    plaintext.extend([1, 0, 0, 0]);
    let start = plaintext.len();
    plaintext.extend((message.len() as u32).to_be_bytes());
    plaintext.extend(message);
    plaintext.resize(start + 1024, 0);
    plaintext
}

/// Two chunks of the right shape that nobody sealed.
fn forged() -> Vec<u8> {
    let mut input = vec![0; 1];
    input.extend([0x42; 1120]);
    input.push(17);
    input.extend([0x55; 17]);
    input.push(0);
    input.extend([0x66; 20]);
    input
}

/// A document of the right shape, with certificates that are none and a signature that is none.
fn nitro_document() -> Vec<u8> {
    let registers = (0..16).map(|index| (vec![index], cbor_bytes(&[index + 1; 48])));
    let fields = [
        ("module_id", cbor_text("i-0-enc0")),
        ("digest", cbor_text("SHA384")),
        ("timestamp", vec![0x1A, 0x68, 0x3B, 0x9A, 0x00]),
        ("pcrs", cbor_map(registers.collect())),
        ("certificate", cbor_bytes(&[0x30; 100])),
        ("cabundle", [vec![0x81], cbor_bytes(&[0x30; 100])].concat()),
        ("public_key", cbor_bytes(b"key")),
        ("user_data", cbor_bytes(b"")),
        ("nonce", vec![0xF6]),
    ];
    let fields = fields.map(|(name, value)| (cbor_text(name), value));
    sign1(0x22, &cbor_map(fields.into()), 96)
}

/// A CCA token of the right shape with signatures that are none: tag 399, or with records tag 907.
fn cca_token(with_records: bool) -> Vec<u8> {
    let platform = claims(vec![
        (265, cbor_text("tag:arm.com,2023:cca_platform#1.0.0")),
        (10, cbor_bytes(&[1; 32])),
        (2396, cbor_bytes(&[2; 32])),
        (256, cbor_bytes(&[1; 33])),
        (2401, cbor_bytes(b"cfg")),
        (2395, cbor_head(0x00, 0x3000)),
        (2399, components()),
        (2402, cbor_text("sha-256")),
    ]);
    let measurements = [&[0x84][..], &cbor_bytes(&[3; 32]).repeat(4)].concat();
    let realm = claims(vec![
        (265, cbor_text("tag:arm.com,2023:realm#1.0.0")),
        (10, cbor_bytes(&[4; 64])),
        (44235, cbor_bytes(&[5; 64])),
        (44236, cbor_text("sha-256")),
        (44237, cbor_bytes(&[6; 107])),
        (44238, cbor_bytes(&[7; 32])),
        (44239, measurements),
        (44240, cbor_text("sha-256")),
    ]);
    let part = |payload: &[u8]| {
        let token = cbor_bytes(&sign1(0x22, payload, 96));
        let record = [&[0x82][..], &cbor_head(0x00, 263), &token].concat();
        if with_records { record } else { token }
    };
    let tag = cbor_head(0xC0, if with_records { 907 } else { 399 });
    let parts = claims(vec![(44234, part(&platform)), (44241, part(&realm))]);
    [tag, parts].concat()
}

/// A PSA token of the right shape with a signature that is none.
fn psa_token(with_old_labels: bool) -> Vec<u8> {
    let payload = if with_old_labels {
        claims(vec![
            (-75008, cbor_bytes(&[1; 32])),
            (-75009, cbor_bytes(&[1; 33])),
            (-75001, vec![0x26]),
            (-75002, cbor_head(0x00, 0x3000)),
            (-75003, cbor_bytes(&[2; 32])),
            (-75004, cbor_bytes(&[3; 32])),
            (-75006, components()),
        ])
    } else {
        claims(vec![
            (265, cbor_text("tag:psacertified.org,2023:psa#tfm")),
            (10, cbor_bytes(&[1; 32])),
            (256, cbor_bytes(&[1; 33])),
            (2394, vec![0x26]),
            (2395, cbor_head(0x00, 0x3000)),
            (2396, cbor_bytes(&[2; 32])),
            (2398, cbor_text("1234567890123-12345")),
            (2399, components()),
        ])
    };
    sign1(0x22, &payload, 96)
}

/// One software component.
fn components() -> Vec<u8> {
    let attributes = vec![
        (1, cbor_text("BL")),
        (2, cbor_bytes(&[8; 32])),
        (5, cbor_bytes(&[9; 32])),
    ];
    [vec![0x81], claims(attributes)].concat()
}

/// A map with integers as keys.
fn claims(entries: Vec<(i64, Vec<u8>)>) -> Vec<u8> {
    let label = |label: i64| match usize::try_from(label) {
        Ok(label) => cbor_head(0x00, label),
        Err(_) => cbor_head(0x20, !label as usize),
    };
    let entries = entries.into_iter().map(|(key, value)| (label(key), value));
    cbor_map(entries.collect())
}

/// A `COSE_Sign1` with an algorithm below -24, written as it is in CBOR, and a signature of ones.
fn sign1(algorithm: u8, payload: &[u8], signature: usize) -> Vec<u8> {
    let parts = [
        vec![0xD2, 0x84],
        cbor_bytes(&[0xA1, 0x01, 0x38, algorithm]),
        vec![0xA0],
        cbor_bytes(payload),
        cbor_bytes(&vec![1; signature]),
    ];
    parts.concat()
}

fn cbor_map(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    let entries = entries.into_iter();
    let mut map = cbor_head(0xA0, entries.len());
    map.extend(entries.flat_map(|(key, value)| [key, value].concat()));
    map
}

fn cbor_text(text: &str) -> Vec<u8> {
    [cbor_head(0x60, text.len()), text.into()].concat()
}

fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    [cbor_head(0x40, bytes.len()), bytes.into()].concat()
}

fn cbor_head(kind: u8, length: usize) -> Vec<u8> {
    match length {
        0..24 => vec![kind | length as u8],
        24..256 => vec![kind | 24, length as u8],
        256..65536 => [&[kind | 25][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[kind | 26][..], &(length as u32).to_be_bytes()].concat(),
    }
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

/// A quote over registers 0 to 7 that nobody signed.
fn tpm_quote() -> Vec<u8> {
    let mut bytes = b"\xFFTCG\x80\x18\0\x22\0\x0B".to_vec();
    bytes.extend([0x11; 32]);
    bytes.extend(b"\0\x05nonce");
    bytes.extend([0; 16]);
    bytes.push(1);
    bytes.extend([0; 8]);
    bytes.extend(b"\0\0\0\x01\0\x0B\x03\xFF\0\0\0\x20");
    bytes.extend([0x22; 32]);
    bytes
}

/// A restricted signing key: the base point of P-256.
fn tpm_public() -> Vec<u8> {
    let mut bytes = b"\0\x23\0\x0B\0\x05\0\x72\0\0\0\x10\0\x18\0\x0B\0\x03\0\x10".to_vec();
    bytes.extend(b"\0\x20\x6B\x17\xD1\xF2\xE1\x2C\x42\x47\xF8\xBC\xE6\xE5\x63\xA4\x40\xF2");
    bytes.extend(b"\x77\x03\x7D\x81\x2D\xEB\x33\xA0\xF4\xA1\x39\x45\xD8\x98\xC2\x96");
    bytes.extend(b"\0\x20\x4F\xE3\x42\xE2\xFE\x1A\x7F\x9B\x8E\xE7\xEB\x4A\x7C\x0F\x9E\x16");
    bytes.extend(b"\x2B\xCE\x33\x57\x6B\x31\x5E\xCE\xCB\xB6\x40\x68\x37\xBF\x51\xF5");
    bytes
}

/// A paravisor's report around an empty SEV-SNP report.
fn azure_report() -> Vec<u8> {
    let numbers = |numbers: &[u32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect()
    };
    let length = RUNTIME_DATA.len() as u32;
    let mut bytes = b"HCLA".to_vec();
    bytes.extend(numbers(&[2, 32 + 1184 + 20 + length, 2, 0, 0, 0, 0]));
    bytes.extend([0; 1184]);
    bytes.extend(numbers(&[20 + length, 1, 2, 1, length]));
    bytes.extend(RUNTIME_DATA);
    bytes
}

const RUNTIME_DATA: &[u8] = br#"{"keys":[{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"AQAB"}],"vm-configuration":{"secure-boot":true},"user-data":"00"}"#;
