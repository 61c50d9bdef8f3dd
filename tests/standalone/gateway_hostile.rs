//! Clients that mean no good on the port that the whole world reaches: signed webhooks are acknowledged all the same, and the process
//! stays within the memory that its container may use.

use std::{fs, process::Command, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

use crate::support::{
    engine_fake::EngineFake,
    gateway::{ENGINE, Gateway, NUMBER, PUBLIC_URL},
    process::{eventually, until_none_is_left},
    twilio_fake::{TOKEN, TwilioFake, call_webhook},
};

/// What a gateway's container may use when the connector says nothing else.
const MEMORY_LIMIT_KIB: u64 = 256 * 1024;
/// Webhooks that a provider brings meanwhile.
const WEBHOOKS: usize = 60;

const SIGNED_HEAD: &str = "POST /hooks/inbound HTTP/1.1\r\nhost: a\r\nx-twilio-signature: AAAA\r\ncontent-type: application/x-www-form-urlencoded\r\n";
const UNSIGNED_HEAD: &str =
    "POST /hooks/inbound HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\n";

/// What one hostile client does with its connection, before it only holds it.
#[derive(Clone, Copy, Debug)]
enum Client {
    /// Says nothing.
    Silent,
    /// Begins a head, with a lot of it, and does not end it.
    SlowHead,
    /// Claims to be signed and brings its body byte by byte.
    SlowBody,
    /// Is not signed and brings all but the last byte of a large body.
    NoSignature,
    /// Claims to be signed, with a million parameters.
    MillionParameters,
    /// Claims to be signed, with as many parameters as a body of 64 KiB holds.
    ManyParameters,
}

impl Client {
    /// The `n`th of 10,000.
    const fn number(n: usize) -> Self {
        match n % 10 {
            0 | 1 => Self::SlowHead,
            2 => Self::SlowBody,
            3 => Self::NoSignature,
            4 if n % 100 == 4 => Self::MillionParameters,
            4 => Self::ManyParameters,
            _ => Self::Silent,
        }
    }

    /// Plays its part, then holds the connection until the gateway answers or ends it.
    async fn play(self, address: String, connecting: Arc<Semaphore>) {
        // More at once overflow the kernel's queue, and then wait for the kernel and not for the gateway.
        let turn = connecting.acquire().await.unwrap();
        let Ok(mut stream) = TcpStream::connect(&address).await else { return };
        drop(turn);
        stream.set_nodelay(true).unwrap();
        // The gateway may end the connection at any time, which is what it should do.
        let _ = self.speak(&mut stream).await;
        let _ = stream.read(&mut [0; 64]).await;
    }

    async fn speak(self, stream: &mut TcpStream) -> std::io::Result<()> {
        match self {
            Self::Silent => Ok(()),
            Self::SlowHead => {
                stream.write_all(format!("{UNSIGNED_HEAD}x-filler: {}", "f".repeat(12_000)).as_bytes()).await
            }
            Self::SlowBody => {
                stream.write_all(format!("{SIGNED_HEAD}content-length: 60000\r\n\r\n").as_bytes()).await?;
                for _ in 0..2000 {
                    stream.write_all(b"a").await?;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Ok(())
            }
            Self::NoSignature => {
                stream.write_all(format!("{UNSIGNED_HEAD}content-length: 262144\r\n\r\n").as_bytes()).await?;
                stream.write_all("x".repeat(262_143).as_bytes()).await
            }
            Self::MillionParameters => {
                stream.write_all(format!("{SIGNED_HEAD}transfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
                for _ in 0..100 {
                    stream.write_all(format!("4e20\r\n{}\r\n", "a&".repeat(10_000)).as_bytes()).await?;
                }
                stream.write_all(b"0\r\n\r\n").await
            }
            Self::ManyParameters => {
                stream.write_all(format!("{SIGNED_HEAD}content-length: 65536\r\n\r\n").as_bytes()).await?;
                stream.write_all("a&".repeat(32_768).as_bytes()).await
            }
        }
    }
}

/// This process may open so many files.
fn allow_files(count: u32) {
    let pid = std::process::id().to_string();
    let allowed = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={count}:")]).status().unwrap();
    assert!(allowed.success(), "the test needs {count} open files");
}

/// A line of `/proc/<pid>/status`, in KiB.
fn memory(pid: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':')).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// What the provider does: a text, and the same again when it was not acknowledged. How many tries it took.
async fn acknowledged(client: &reqwest::Client, public: &str, id: &str) -> usize {
    let form = [("MessageSid", id), ("To", NUMBER), ("From", "+15559870001"), ("Body", "Hello")];
    let mut tries = 0;
    eventually(&format!("{id} is acknowledged"), || {
        tries += 1;
        let call = call_webhook(client, public, PUBLIC_URL, "/hooks/inbound", &form);
        async {
            call.await
                .map_err(|error| format!("{error:?}"))
                .and_then(|answer| if answer.0 == 200 { Ok(()) } else { Err(format!("{answer:?}")) })
        }
    })
    .await;
    tries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_desk_goes_on_among_ten_thousand_hostile_clients() {
    allow_files(20_000);
    let twilio = TwilioFake::start().await;
    let mut gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    let engine = EngineFake::start(&gateway.issuer).await;
    gateway.route(NUMBER, &engine.url, ENGINE).await;
    let (pid, public) = (gateway.pid(), gateway.public.clone());
    let (before, files_before) = (memory(pid, "VmRSS"), open_files(pid));

    let mut hostile = JoinSet::new();
    let connecting = Arc::new(Semaphore::new(200));
    for n in 0..10_000 {
        hostile.spawn(Client::number(n).play(public.clone(), Arc::clone(&connecting)));
    }
    // The provider has a thread of its own: this is about the gateway's patience, not about the test's.
    let provider = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut tries = Vec::new();
            for n in 0..WEBHOOKS {
                // Without a pool each comes on a connection of its own.
                let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
                tries.push(acknowledged(&client, &public, &format!("SM{n}")).await);
            }
            tries
        })
    });
    let most_files = tokio::task::spawn_blocking(move || {
        let mut most = 0;
        while !provider.is_finished() {
            most = most.max(open_files(pid));
            std::thread::sleep(Duration::from_millis(20));
        }
        (most, provider.join().unwrap())
    });
    let (most, tries) = most_files.await.unwrap();
    let peak = memory(pid, "VmHWM");
    println!("{before} KiB before, {peak} KiB at most; {most} open files at most; tries: {tries:?}");
    assert!(peak < MEMORY_LIMIT_KIB, "the container would have been killed: {peak} KiB");
    assert_eq!(engine.messages().len(), WEBHOOKS);

    // None of them is held for ever. The gateway's own files are counted: a client whose handshake the full queue of the kernel dropped
    // holds a connection of which the gateway never hears.
    until_none_is_left("the gateway answers or ends every one of them", || {
        std::future::ready(open_files(pid).saturating_sub(files_before))
    })
    .await;
    hostile.shutdown().await;
    let quiet = acknowledged(&reqwest::Client::new(), &gateway.public, "SM-after").await;
    assert_eq!(quiet, 1, "afterwards all is as before");
    assert!(memory(pid, "VmHWM") < MEMORY_LIMIT_KIB);
}
