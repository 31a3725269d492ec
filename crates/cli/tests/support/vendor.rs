//! A server on loopback that speaks the vendors' protocols, well or badly.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use subrosa_attest::collateral::{Collateral, Label};

/// Evidence and collateral of `spec/vectors/collateral.json`: under throw-away keys, but in the real formats.
pub struct Sample {
    pub evidence: Vec<u8>,
    pub certificates: Option<String>,
    pub collateral: Collateral,
}

impl Sample {
    pub fn of(kind: &str) -> Self {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../spec/vectors/collateral.json"
        );
        let vectors: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let good = vectors["good"].as_array().unwrap();
        let vector = good.iter().find(|vector| vector["kind"] == kind).unwrap();
        let bytes = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
        Self {
            evidence: bytes("evidence"),
            certificates: vector["certificates"].as_str().map(str::to_owned),
            collateral: Collateral::parse(&bytes("collateral")).unwrap(),
        }
    }

    pub fn part(&self, label: Label) -> Vec<u8> {
        self.collateral.get(label).unwrap().to_vec()
    }

    pub fn ocsp_answers(&self) -> Vec<Vec<u8>> {
        let entries = self.collateral.entries().iter();
        entries
            .filter(|entry| matches!(entry.label(), Label::NvidiaOcsp(_)))
            .map(|entry| entry.content().to_vec())
            .collect()
    }
}

/// One answer of the server.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub fault: Fault,
}

/// What goes wrong below HTTP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// The connection ends before the first byte.
    Outage,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// A byte every so many milliseconds.
    Slow(u64),
    /// The body's length is not said before.
    NoLength,
}

impl Answer {
    pub fn good(media: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".to_owned(), media.to_owned())],
            body: body.into(),
            fault: Fault::None,
        }
    }

    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::good("text/plain", "no")
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }
}

/// Answers for each path; the last one is repeated.
#[derive(Clone, Default)]
pub struct Routes {
    answers: HashMap<String, Vec<Answer>>,
    /// Answers about revocation, with a nonce of thirty-two ones.
    ocsp: Vec<Vec<u8>>,
    /// The responder answers an earlier question.
    stale_nonce: bool,
}

impl Routes {
    /// AMD's key distribution service, for a Genoa.
    pub fn kds(sample: &Sample) -> Self {
        let certificate = "application/pkix-cert";
        let chip = hex::encode(&sample.evidence[0x1A0..0x1E0]);
        let chain = pem(&[sample.part(Label::SnpAsk), sample.part(Label::SnpArk)]);
        Self::default()
            .put(
                &format!("/vcek/v1/Genoa/{chip}"),
                Answer::good(certificate, sample.part(Label::SnpVcek)),
            )
            .put(
                "/vcek/v1/Genoa/cert_chain",
                Answer::good("application/x-pem-file", chain),
            )
            .put(
                "/vcek/v1/Genoa/crl",
                Answer::good("application/pkix-crl", sample.part(Label::SnpCrl)),
            )
    }

    /// Intel's provisioning certification service, for `sgx` or `tdx`.
    pub fn pcs(sample: &Sample, platform: &str) -> Self {
        let issuers = |label| percent_encoded(&sample.part(label));
        let json = "application/json";
        Self::default()
            .put(
                &format!("/{platform}/certification/v4/tcb"),
                Answer::good(json, sample.part(Label::DcapTcbInfo))
                    .header("TCB-Info-Issuer-Chain", &issuers(Label::DcapTcbInfoIssuers)),
            )
            .put(
                &format!("/{platform}/certification/v4/qe/identity"),
                Answer::good(json, sample.part(Label::DcapQeIdentity)).header(
                    "SGX-Enclave-Identity-Issuer-Chain",
                    &issuers(Label::DcapQeIdentityIssuers),
                ),
            )
            .put(
                "/sgx/certification/v4/pckcrl",
                Answer::good("application/pkix-crl", sample.part(Label::DcapPckCrl)).header(
                    "SGX-PCK-CRL-Issuer-Chain",
                    &issuers(Label::DcapPckCrlIssuers),
                ),
            )
            .put(
                "/IntelSGXRootCA.der",
                Answer::good("application/pkix-crl", sample.part(Label::DcapRootCrl)),
            )
    }

    /// NVIDIA's service of manifests and responder.
    pub fn nvidia(sample: &Sample, driver: &str, firmware: &str) -> Self {
        let mut routes = Self {
            ocsp: sample.ocsp_answers(),
            ..Self::default()
        };
        for (id, label) in [
            (driver, Label::NvidiaRimDriver),
            (firmware, Label::NvidiaRimFirmware),
        ] {
            routes = routes.put(
                &format!("/v1/rim/{id}"),
                Answer::good("application/json", manifest_answer(id, &sample.part(label))),
            );
        }
        routes
    }

    /// Adds an answer to a path, in the place of all others.
    pub fn put(self, path: &str, answer: Answer) -> Self {
        self.script(path, vec![answer])
    }

    /// The answers of a path, one after the other; the last one is repeated.
    pub fn script(mut self, path: &str, answers: Vec<Answer>) -> Self {
        self.answers.insert(path.to_owned(), answers);
        self
    }

    /// These answers come first, then the good one.
    pub fn before(mut self, path: &str, answers: Vec<Answer>) -> Self {
        let known = self.answers.get_mut(path).unwrap();
        known.splice(0..0, answers);
        self
    }

    pub fn stale_nonces(mut self) -> Self {
        self.stale_nonce = true;
        self
    }

    pub fn ocsp(mut self, edit: impl Fn(Vec<u8>) -> Vec<u8>) -> Self {
        self.ocsp = self.ocsp.into_iter().map(edit).collect();
        self
    }

    /// The good answer of a path.
    pub fn answer(&self, path: &str) -> Answer {
        self.answers[path].last().unwrap().clone()
    }

    fn find(&self, path: &str, earlier: usize, body: &[u8]) -> Answer {
        if path == "/ocsp" {
            return self.about(body);
        }
        let Some(answers) = self.answers.get(path) else {
            return Answer::status(404);
        };
        answers[earlier.min(answers.len() - 1)].clone()
    }

    /// The answer to an OCSP question of the program: its certificate's identifier stands between the first digest's
    /// name and the extension with the nonce, which has 53 bytes and ends with the nonce itself.
    fn about(&self, question: &[u8]) -> Answer {
        const SHA_384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
        let id = &question[position(question, SHA_384).unwrap()..question.len() - 53];
        let nonce = &question[question.len() - 32..];
        let found = self
            .ocsp
            .iter()
            .find(|answer| position(answer, id).is_some());
        let Some(mut answer) = found.cloned() else {
            return Answer::good("application/ocsp-response", [0x30, 3, 0x0A, 1, 6]);
        };
        if !self.stale_nonce {
            let at = position(&answer, &[1; 32]).unwrap();
            answer[at..at + 32].copy_from_slice(nonce);
        }
        Answer::good("application/ocsp-response", answer)
    }
}

/// A running server.
pub struct Vendor {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Vendor {
    pub fn start(routes: Routes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (routes, seen) = (routes.clone(), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream.unwrap(), &routes, &seen));
            }
        });
        Self { port, requests }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Paths with their queries, in order.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, routes: &Routes, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let target = head.first()?.split(' ').nth(1)?.to_owned();
    let length = head.iter().find_map(|line| {
        let line = line.to_lowercase();
        line.strip_prefix("content-length: ")?.parse().ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let path = target.split('?').next()?;
    let earlier = {
        let mut seen = seen.lock().unwrap();
        let of_path = |other: &&String| other.split('?').next() == Some(path);
        let earlier = seen.iter().filter(of_path).count();
        seen.push(target.clone());
        earlier
    };
    send(stream, &routes.find(path, earlier, &body)).ok()
}

fn send(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    if answer.fault == Fault::Outage {
        return Ok(());
    }
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if answer.fault != Fault::NoLength {
        head.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    match answer.fault {
        Fault::Cut(length) => stream.write_all(&answer.body[..length]),
        Fault::Slow(pause) => answer.body.iter().try_for_each(|byte| {
            std::thread::sleep(Duration::from_millis(pause));
            stream.write_all(&[*byte])
        }),
        _ => stream.write_all(&answer.body),
    }
}

/// What the service of manifests answers.
pub fn manifest_answer(id: &str, manifest: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let answer = serde_json::json!({
        "id": id,
        "rim": base64(manifest),
        "sha256": hex::encode(Sha256::digest(manifest)),
        "last_updated": "2026-06-01T00:00:00.000000",
        "rim_format": "TCG",
        "request_id": "54922519-b87e-4057-b323-33b9a2bb9743",
    });
    answer.to_string().into_bytes()
}

pub fn pem(certificates: &[Vec<u8>]) -> String {
    let text = |der: &Vec<u8>| {
        let body = base64(der);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    };
    certificates.iter().map(text).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// As Intel's service writes certificates into a header.
fn percent_encoded(bytes: &[u8]) -> String {
    let encode = |&byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(encode).collect()
}

fn position(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}
