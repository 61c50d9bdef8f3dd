//! A channel with two agents that is edited while it works, and Rosa, whose conversation is open before the first edit and after the last.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    load::desk,
    quickstart::{NUMBER, Quickstart, Running},
};
use crate::support::{
    desk::{Desk, Open, Sent},
    judge::{Judge, everything_has_arrived},
    process::eventually,
};

const ROSA: &str = "+15559880000";
/// No wait is too long for it.
const RELAXED_TARGET: u32 = 3600;

/// The channel, and who is at it.
pub(super) struct Live {
    pub(super) quickstart: Quickstart,
    pub(super) running: Running,
    pub(super) bo: Desk,
    events: Arc<Mutex<Vec<Sent>>>,
    strangers: u32,
    /// Rosa's interaction.
    pub(super) rosa: u64,
    /// What Rosa and Ana wrote to each other.
    said: Vec<String>,
    /// What agents answered, whoever they are.
    replies: Vec<String>,
    _streams: [Open; 2],
}

impl Live {
    /// A channel whose strategy gives everything to Ana before Bo, whose blocklists bind nobody, and which nothing else is set for.
    pub(super) async fn new() -> Self {
        let mut quickstart = Quickstart::new();
        let members = json!([member(&quickstart, "ana", 1), member(&quickstart, "bo", 2)]);
        quickstart.change("campaign", |campaign| campaign["spec"]["members"] = members);
        quickstart.change("channel", |channel| {
            channel["spec"]["strategy"] = json!("Linear");
            channel["spec"]["serviceLevel"]["targetSeconds"] = json!(RELAXED_TARGET);
            channel["spec"]["blocklist"] = json!({"inbound": false, "outbound": false});
        });
        quickstart.apply(&[json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bo"}})]);
        let (quickstart, running) = desk(quickstart).await;
        let bo = running.agent(&quickstart, "bo");
        let events = Arc::<Mutex<Vec<Sent>>>::default();
        let seen = Arc::clone(&events);
        let streams = [running.ana.watch(move |sent| seen.lock().push(sent)), bo.be_online()];
        bo.set_presence(true).await;
        running.carrier.customer_writes(ROSA, NUMBER, "Good morning").await;
        let rosa = running.ana.given(ROSA).await["id"].as_u64().unwrap();
        let said = vec!["Good morning".to_owned()];
        let mut live =
            Self { quickstart, running, bo, events, strangers: 0, rosa, said, replies: Vec::new(), _streams: streams };
        live.rosa_goes_on().await;
        live
    }

    /// Edits the channel's spec, waits until it is in force, and has Rosa and Ana go on.
    pub(super) async fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        self.edit_file("channel", change).await;
    }

    /// The same with the spec of another file's object.
    pub(super) async fn edit_file(&mut self, file: &str, change: impl FnOnce(&mut Value)) {
        self.put(file, change).await;
        self.rosa_goes_on().await;
    }

    /// Edits the spec of a file's object, and waits until it is in force.
    pub(super) async fn put(&mut self, file: &str, change: impl FnOnce(&mut Value)) {
        self.quickstart.change(file, |object| change(&mut object["spec"]));
        self.quickstart.put_in_force(|quickstart| quickstart.apply_file(file)).await;
    }

    /// Rosa asks something, and Ana answers, in the interaction that they always had.
    pub(super) async fn rosa_goes_on(&mut self) {
        let turn = self.said.len();
        self.rosa_asks(&format!("Question {turn}")).await;
        let answer = format!("Answer {turn}");
        self.ana_answers_rosa(&answer).await;
        self.running.carrier.until_delivered(ROSA, &answer).await;
    }

    /// Rosa's text is in the interaction; gives the outcome.
    pub(super) async fn rosa_asks(&mut self, text: &str) -> Value {
        self.running.carrier.customer_writes(ROSA, NUMBER, text).await;
        self.said.push(text.to_owned());
        let outcome = self.outcome(ROSA, text).await;
        let interaction = self.interaction(self.rosa).await;
        assert_eq!((self.name(&interaction["owner"]), &interaction["closedAt"]), ("ana".into(), &Value::Null));
        let messages = interaction["messages"].as_array().unwrap();
        assert!(messages.iter().any(|message| message["text"] == text), "{interaction}");
        outcome
    }

    /// Ana's answer is committed; gives the message's id.
    pub(super) async fn ana_answers_rosa(&mut self, text: &str) -> Value {
        let (status, replied) = self.try_answer_rosa(text).await;
        assert_eq!(status, 202, "{replied}");
        self.said.push(text.to_owned());
        self.replies.push(text.to_owned());
        replied["message"].clone()
    }

    pub(super) async fn try_answer_rosa(&self, text: &str) -> (u16, Value) {
        self.running.ana.reply(&self.interaction(self.rosa).await, text).await
    }

    /// Waits until Rosa has a text.
    pub(super) async fn rosa_has(&self, text: &str) {
        self.running.carrier.until_delivered(ROSA, text).await;
    }

    /// The number of somebody who never wrote.
    pub(super) fn stranger(&mut self) -> String {
        self.strangers += 1;
        format!("+1555988{:04}", self.strangers)
    }

    /// A stranger writes; gives their number, and what became of the text.
    pub(super) async fn stranger_writes(&mut self) -> (String, Value) {
        let stranger = self.stranger();
        let outcome = self.writes(&stranger, "Is anybody there?").await;
        (stranger, outcome)
    }

    /// A stranger enters the queue; gives their number.
    pub(super) async fn queued(&mut self) -> String {
        let (stranger, outcome) = self.stranger_writes().await;
        assert_eq!(outcome, "Queued", "{stranger}");
        stranger
    }

    /// A customer writes; gives what became of the text, of which they write no other.
    pub(super) async fn writes(&self, customer: &str, text: &str) -> Value {
        self.running.carrier.customer_writes(customer, NUMBER, text).await;
        self.outcome(customer, text).await
    }

    async fn outcome(&self, customer: &str, text: &str) -> Value {
        eventually("the text is recorded", || async {
            let messages = self.running.ana.messages(customer).await;
            let recorded =
                messages.iter().rev().find(|message| message["text"] == text && message.get("outcome").is_some());
            recorded.map(|message| message["outcome"].clone()).ok_or(messages)
        })
        .await
    }

    /// Waits until a customer has heard a text.
    pub(super) async fn hears(&self, customer: &str, text: &str) {
        self.running.carrier.until_delivered(customer, text).await;
    }

    /// An interaction with its messages and notes.
    pub(super) async fn interaction(&self, id: u64) -> Value {
        self.running.ana.get(&format!("/interactions/{id}")).await
    }

    /// A customer's last interaction.
    pub(super) async fn last_of(&self, customer: &str) -> Value {
        let path = format!("/interactions?customer={}&order=newest&limit=1", customer.replace('+', "%2B"));
        let id = self.running.ana.get(&path).await["items"][0]["id"].as_u64().unwrap();
        self.interaction(id).await
    }

    /// Waits until a customer's last interaction is closed.
    pub(super) async fn closed(&self, customer: &str) -> Value {
        eventually("the interaction is closed", || async {
            let last = self.last_of(customer).await;
            if last["state"] == "Closed" { Ok(last) } else { Err(last) }
        })
        .await
    }

    /// Waits until somebody has a customer's interaction; gives the agent's account.
    pub(super) async fn owner(&self, customer: &str) -> String {
        eventually("somebody has it", || async {
            let last = self.last_of(customer).await;
            if last["owner"].is_null() { Err(last) } else { Ok(self.name(&last["owner"])) }
        })
        .await
    }

    /// Waits until Ana has a customer's interaction, and has her answer it. The customer gets the answer.
    pub(super) async fn ana_answers(&mut self, customer: &str) {
        let interaction = self.running.ana.given(customer).await;
        let ana = self.running.ana.clone();
        self.answer(&ana, &interaction).await;
    }

    /// The agent who has an interaction answers it. The customer gets the answer.
    pub(super) async fn answer(&mut self, agent: &Desk, interaction: &Value) {
        let text = format!("Yes, here is somebody for you, number {}.", self.replies.len());
        let (status, replied) = agent.reply(interaction, &text).await;
        assert_eq!(status, 202, "{replied}");
        self.replies.push(text.clone());
        self.hears(interaction["customer"].as_str().unwrap(), &text).await;
    }

    /// Ana begins an interaction; gives status and body.
    pub(super) async fn ana_starts(&mut self, customer: &str) -> (u16, Value) {
        let text = format!("We have news for you, number {}.", self.replies.len());
        let (key, body) = (format!("{text} to {customer}"), json!({"number": customer, "text": text}));
        let answer = self.running.ana.post("/interactions", &key, &body).await;
        if answer.0 == 201 {
            self.replies.push(text.clone());
            self.hears(customer, &text).await;
        }
        answer
    }

    /// Waits until a customer's interaction is Ana's, and has her finish it.
    pub(super) async fn ana_finishes(&self, customer: &str) {
        self.running.ana.finish(&self.running.ana.given(customer).await).await;
    }

    /// Both agents take interactions, or do not.
    pub(super) async fn take_interactions(&self, present: bool) {
        self.running.ana.set_presence(present).await;
        self.bo.set_presence(present).await;
    }

    /// Waits until Ana's stream has shown an event with this in one of its fields.
    pub(super) async fn event(&self, name: &str, field: &str, value: &Value) -> Value {
        eventually("the stream shows it", || async {
            let events = self.events.lock();
            let found = events.iter().find(|sent| sent.name == name && sent.data[field] == *value);
            found.map(|sent| sent.data.clone()).ok_or_else(|| format!("no {name} of {field} {value}"))
        })
        .await
    }

    /// A member of the campaign.
    pub(super) fn member(&self, account: &str, position: u32) -> Value {
        member(&self.quickstart, account, position)
    }

    /// The account behind an agent's name.
    pub(super) fn name(&self, user: &Value) -> String {
        let user = user.as_str().unwrap_or_default();
        user.strip_prefix(&user_of(&self.quickstart, "")).unwrap_or(user).to_owned()
    }

    /// An agent's name.
    pub(super) fn user(&self, account: &str) -> String {
        user_of(&self.quickstart, account)
    }

    /// Everything that customers wrote is stored once and in order, every answer arrived once, and Rosa's conversation is one, and whole.
    pub(super) async fn nothing_is_lost(&self) {
        let (ledger, store) = (self.running.settle().await, self.quickstart.store());
        everything_has_arrived(&ledger, &store).await;
        let judge = Judge { ledger: &ledger, store: &store };
        judge.every_message_is_stored_once_and_in_order();
        judge.every_reply_arrived_once(&self.replies, 0);
        self.rosas_conversation_is_whole().await;
    }

    pub(super) async fn rosas_conversation_is_whole(&self) {
        let messages = self.running.ana.messages(ROSA).await;
        let said: Vec<&str> = messages.iter().map(|message| message["text"].as_str().unwrap()).collect();
        assert_eq!(said, self.said);
        assert!(messages.iter().all(|message| message["interaction"] == self.rosa), "{messages:?}");
    }
}

fn user_of(quickstart: &Quickstart, account: &str) -> String {
    format!("system:serviceaccount:{}:{account}", quickstart.namespace)
}

fn member(quickstart: &Quickstart, account: &str, position: u32) -> Value {
    json!({"user": user_of(quickstart, account), "position": position, "maxInteractions": 100})
}
