//! Clients that mean no good on the port that the whole world reaches: signed webhooks are acknowledged all the same, and the process
//! stays within the memory that its container may use.

use std::time::Duration;

use crate::support::{
    engine_fake::EngineFake,
    gateway::{ENGINE, Gateway, NUMBER, PUBLIC_URL},
    hostile::{MEMORY_LIMIT_KIB, Target, allow_files, besiege, memory, open_files},
    process::{eventually, until_none_is_left},
    twilio_fake::{TOKEN, TwilioFake, call_webhook},
};

/// Webhooks that a provider brings meanwhile.
const WEBHOOKS: usize = 60;

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

    let target = Target::new(&public, "/hooks/inbound", "x-twilio-signature: AAAA\r\n");
    let mut hostile = besiege(target, 10_000);
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
