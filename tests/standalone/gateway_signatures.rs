//! Whom the gateway believes to be Twilio: the verdict of Twilio's own Python SDK, asked at run time, on its signatures and on hundreds
//! of mutations, each sent to a gateway over HTTP. Where the Node SDK judges otherwise, a table in docs/ says so.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{gateway::Gateway, peers, twilio_fake::TwilioFake};

/// The table of differences between Twilio's SDKs.
const TABLE: &str = "docs/twilio-signatures.md";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    public_url: String,
    query: Option<String>,
    body: String,
    headers: Vec<(String, String)>,
    verdict: bool,
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// The cases as JSON, with the Python SDK's verdicts.
fn cases() -> (String, Vec<Case>) {
    let mut python = peers::python();
    python.arg(path("tests/peers/twilio_signatures.py"));
    let text = peers::output(python, "");
    let cases = serde_json::from_str(&text).unwrap();
    (text, cases)
}

/// Writes the request by hand, since clients tidy URLs and headers up. Whether the gateway believed it.
async fn believed(gateway: &Gateway, case: &Case) -> bool {
    let mut request =
        format!("POST /hooks/inbound{} HTTP/1.1\r\n", case.query.as_ref().map(|q| format!("?{q}")).unwrap_or_default());
    for (name, value) in &case.headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    write!(request, "Host: gateway\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", case.body.len(), case.body)
        .unwrap();
    let mut stream = TcpStream::connect(&gateway.public).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    match answer.split(' ').nth(1) {
        Some("200") => true,
        // Signed, but not a message.
        Some("400") if answer.contains("urn:aldis:problem:malformed") => true,
        Some("403") if answer.contains("urn:aldis:problem:bad-signature") => false,
        _ => panic!("{}: {answer}", case.name),
    }
}

#[tokio::test]
async fn the_gateway_believes_what_twilios_python_sdk_believes() {
    let (_, cases) = cases();
    let mutations = cases.iter().filter(|case| case.name.contains(": ")).count();
    let good = cases.iter().filter(|case| case.verdict).count();
    assert!(
        mutations >= 200 && good >= 50 && cases.len() - good >= 100,
        "{mutations} mutations, {good} of {}",
        cases.len()
    );

    let twilio = TwilioFake::start().await;
    let keys = [("authToken", "the token in force"), ("previousAuthToken", "the token before it")];
    let mut gateway = Gateway::start(twilio.provider(), &keys).await;
    let mut by_url: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &cases {
        by_url.entry(&case.public_url).or_default().push(case);
    }
    let mut wrong = String::new();
    for (public_url, cases) in by_url {
        gateway.configure("/webhook", json!({"publicUrl": public_url, "management": "Observe"})).await;
        for case in cases {
            let verdict = believed(&gateway, case).await;
            if verdict != case.verdict {
                writeln!(wrong, "{}: the gateway says {verdict}, the SDK {}", case.name, case.verdict).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!("{} requests, {good} believed", cases.len());
}

#[test]
fn a_table_says_where_the_node_sdk_differs() {
    let (text, cases) = cases();
    let mut node = peers::node();
    node.arg(path("tests/peers/twilio_signatures.cjs"));
    let verdicts: Vec<bool> = serde_json::from_str(&peers::output(node, &text)).unwrap();
    assert_eq!(verdicts.len(), cases.len());
    let mut table = String::from(
        "# Signatures: where Twilio's SDKs differ\n\n\
         The gateway verifies `X-Twilio-Signature` as Twilio's Python SDK does (`RequestValidator`, one validator per token). The Node SDK\n\
         (`validateIncomingRequest` behind Express' parsers) says otherwise in these cases of `tests/peers/twilio_signatures.py`.\n\
         A test writes this table (`ALDIS_WRITE_TABLES=1`) and fails when it is out of date.\n\n\
         | case | Python, gateway | Node |\n|---|---|---|\n",
    );
    let word = |accepted: bool| if accepted { "accepted" } else { "refused" };
    for (case, verdict) in cases.iter().zip(verdicts).filter(|(case, verdict)| case.verdict != *verdict) {
        writeln!(table, "| {} | {} | {} |", case.name, word(case.verdict), word(verdict)).unwrap();
    }
    if std::env::var_os("ALDIS_WRITE_TABLES").is_some() {
        fs::write(path(TABLE), &table).unwrap();
    }
    let written = fs::read_to_string(path(TABLE)).unwrap_or_default();
    assert!(
        written == table,
        "{TABLE} is out of date; run this test with ALDIS_WRITE_TABLES=1. It should be:\n{table}"
    );
}
