//! Whom the gateway believes to be a provider: the verdict of the provider's own SDK, asked at run time, on webhooks that are signed as the provider signs
//! them and on hundreds of mutations, each sent to a gateway over HTTP. Where the two differ, a table in docs/ says so.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    gateway::Gateway,
    peers,
    provider_fake::{DIALECTS, Dialect, server::ProviderFake},
};

/// The table of differences.
const TABLE: &str = "docs/webhook-signatures.md";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    method: String,
    public_url: String,
    /// With the query.
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    verdict: bool,
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn cases(script: &str) -> Vec<Case> {
    let mut python = peers::python();
    python.arg(path(&format!("tests/peers/signatures/{script}")));
    serde_json::from_str(&peers::output(python, "")).unwrap()
}

/// Writes the request by hand, since clients tidy URLs and headers up. Whether the gateway believed it.
async fn believed(gateway: &Gateway, case: &Case) -> bool {
    let mut request = format!("{} {} HTTP/1.1\r\n", case.method, case.path);
    for (name, value) in &case.headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    let length = case.body.len();
    write!(request, "Host: gateway\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{}", case.body).unwrap();
    let mut stream = TcpStream::connect(&gateway.public).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    match answer.split(' ').nth(1) {
        Some("200" | "202" | "204") => true,
        // Signed, but not a message.
        Some("400") if answer.contains("urn:aldis:problem:malformed") => true,
        Some("403") if answer.contains("urn:aldis:problem:bad-signature") => false,
        _ => panic!("{}: {answer}", case.name),
    }
}

/// Names of the cases of which gateway and SDK differ, with what the SDK says.
async fn differences(dialect: &'static dyn Dialect, cases: &[Case]) -> Vec<(String, bool)> {
    let good = cases.iter().filter(|case| case.verdict).count();
    let mutations = cases.iter().filter(|case| case.name.contains(": ")).count();
    assert!(mutations >= 200 && good >= 4, "{dialect:?}: {mutations} mutations, {good} of {} good", cases.len());
    let provider = ProviderFake::start(dialect).await;
    let mut gateway = Gateway::start(provider.provider(), &dialect.secret()).await;
    let mut by_url: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        by_url.entry(&case.public_url).or_default().push(case);
    }
    let mut differ = Vec::new();
    for (public_url, cases) in by_url {
        gateway.configure("/webhook", json!({"publicUrl": public_url, "management": "Observe"})).await;
        for case in cases {
            if believed(&gateway, case).await != case.verdict {
                differ.push((case.name.clone(), case.verdict));
            }
        }
    }
    println!("{dialect:?}: {} requests, {good} believed", cases.len());
    differ
}

#[tokio::test]
async fn the_gateway_believes_what_the_providers_sdks_believe_but_for_a_table() {
    let mut table = String::from(
        "# Webhooks: where the gateway and the providers' SDKs differ\n\n\
         The gateway verifies webhooks as the provider's own SDK for Python does, but for these cases of `tests/peers/signatures/`. What the SDK\n\
         accepts and the gateway refuses no provider sends; there is nothing that only the gateway accepts. Twilio has [a page of its\n\
         own](twilio-signatures.md). A test writes this table (`ALDIS_WRITE_TABLES=1`) and fails when it is out of date.\n\n\
         | provider | case | SDK | gateway |\n|---|---|---|---|\n",
    );
    for dialect in DIALECTS {
        let Some(script) = dialect.sdk_script() else { continue };
        let differ = differences(*dialect, &cases(script)).await;
        for (name, sdk) in &differ {
            assert!(sdk, "{dialect:?}: only the gateway accepts {name}");
            // A mutation of what differs itself says nothing more.
            let of = name.split(": ").next().unwrap();
            if of == name || !differ.iter().any(|(other, _)| other == of) {
                writeln!(table, "| `{}` | {name} | accepted | refused |", dialect.member()).unwrap();
            }
        }
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
