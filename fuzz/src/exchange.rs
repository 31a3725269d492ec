//! One exchange with a node of the simulated platform, the same in every run.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use subrosa_attest::development::{Root, appraise};
use subrosa_attest::{Bundle, Measurement, Policy, Sha256Digest, UnixSeconds, report_data};
use subrosa_channel::{
    DevelopmentNode, InnerRequest, Profile, ResponseClass, ResponseHead, ResponseOpener,
    SealOptions, SealedRequest, absent_release, seal_request,
};

use crate::{NOW, WEIGHTS, epoch, gateway, rng};

/// The genuine answer on the wire, cut at its records: header first.
#[must_use]
pub fn answer() -> &'static [Vec<u8>] {
    static ANSWER: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ANSWER.get_or_init(|| {
        let opened = gateway().open(&sealed().bytes, NOW).expect("it is genuine");
        let responder = opened.responder;
        let mut sealer = responder
            .start(ResponseClass::Stream, &mut rng(5))
            .expect("the device's key is genuine");
        let head = ResponseHead::new(200, "text/plain");
        sealer.head(&head).expect("the head comes first");
        sealer.body(&[b'x'; 600]).expect("the body follows");
        sealer.complete(&WEIGHTS).expect("the receipt ends it");
        let mut records = Vec::new();
        while !sealer.has_ended() {
            let mut record = Vec::new();
            sealer.poll(&mut record);
            records.push(record);
        }
        records
    })
}

/// The device, waiting for that answer.
#[must_use]
pub fn opener() -> ResponseOpener {
    sealed().opener
}

fn sealed() -> SealedRequest {
    static NODE: OnceLock<DevelopmentNode> = OnceLock::new();
    let request = InnerRequest {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers: Vec::new(),
        body: b"{}".to_vec(),
    };
    let options = SealOptions {
        profile: Profile::Balanced,
        ..SealOptions::default()
    };
    let (node, now) = (NODE.get_or_init(node), UnixSeconds::new(NOW));
    seal_request(node, &request, &options, now, &mut rng(4)).expect("it is small")
}

fn node() -> DevelopmentNode {
    let epoch = epoch();
    let kc = epoch.key_configuration().as_bytes();
    let root = root();
    let measurement = Measurement::new([3; 48]);
    let report = root
        .platform()
        .report(&report_data(kc, None, None), &measurement);
    let bundle = Bundle::builder(kc)
        .snp(root.platform().evidence(&report))
        .build()
        .expect("it is small");
    let digest = |name, digest| {
        format!(
            "[[{name}]]\nname = \"fuzz\"\nsha256 = \"{}\"\n",
            Sha256Digest::new(digest)
        )
    };
    let policy = format!(
        "version = 1\nname = \"fuzz\"\nplatforms = [\"sev-snp\"]\n{}{}{}\
         [[measurements]]\nname = \"fuzz\"\nplatform = \"sev-snp\"\nvalue = \"{measurement}\"\n",
        digest("configurations", [3; 32]),
        digest("releases", absent_release()),
        digest("weights", WEIGHTS),
    );
    let policy = Policy::parse(&policy).expect("the policy is valid");
    let now = UnixSeconds::new(NOW);
    let attested = appraise(&bundle, &policy, root.public(), now).expect("the evidence is right");
    DevelopmentNode::new(attested, now).expect("the key is in its life")
}

/// A simulated root. Making one takes seconds, so it is kept beside what was built.
fn root() -> Root {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/development-root.json");
    if let Some(root) = fs::read_to_string(&file)
        .ok()
        .and_then(|text| Root::from_secret_file(&text).ok())
    {
        return root;
    }
    let root = Root::generate(&mut rng(3), UnixSeconds::new(NOW)).expect("keys can be made");
    // Without the file the next run makes the same root again.
    let _ = fs::write(file, root.to_secret_file().as_str());
    root
}
