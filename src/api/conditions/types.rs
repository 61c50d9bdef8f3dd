//! The types of conditions.

use super::closed;

closed! {
    /// The type of a condition. `Reconciling` and `Stalled` are present only while they are True; of the others, one that is absent is
    /// Unknown.
    pub enum ConditionType {
        /// The object does what its spec asks for: the configuration is in force and what carries it runs. A missed service level or a
        /// full queue never touches it, nor does a change of another object (members, routes, blocked numbers) while it is on its way to
        /// the pod, nor what waits or finds no room in a gateway's spool (`TrafficRouted`): its causes are engines, and the gateway goes on
        /// for those that are well. `kubectl wait --for=condition=Ready` and `helm --wait` look at it.
        Ready,
        /// The operator is at work, or waits for something that comes by itself. Only present while True.
        Reconciling,
        /// A person must do something; the message says what. Only present while True.
        Stalled,
        /// SmsConnector: the gateway's pod runs and answers.
        GatewayAvailable,
        /// SmsConnector: the provider answers the gateway. False: nothing can be sent or checked; the reason says in which way it fails.
        ProviderReachable,
        /// SmsConnector: the provider accepts the credentials. While it does not answer, what it said last stands.
        CredentialsValid,
        /// SmsConnector: every number that the connector offers is at the provider and can do SMS. Where the provider cannot be asked (reason
        /// `Declared`), what `spec.numbers` declares is believed.
        NumbersVerified,
        /// SmsConnector: the provider sends to our addresses.
        WebhookInSync,
        /// SmsConnector: every inbound message found a channel, none is parked, and there is room in the gateway's spool. False: the message
        /// says what waits, and what to do.
        TrafficRouted,
        /// SmsChannel, Blocklist: everything that the object refers to exists and is usable.
        ReferencesResolved,
        /// SmsChannel: the connector offers the number, the provider has it, and it can do SMS. Where the provider cannot be asked (reason
        /// `Declared`), what the connector declares is believed.
        NumberValid,
        /// SmsChannel: the number belongs to this channel and to no other in the cluster.
        NumberClaimed,
        /// SmsChannel: the engine's pod runs and answers.
        EngineAvailable,
        /// SmsChannel: the engine has loaded the configuration of the present spec.
        ConfigApplied,
        /// SmsChannel: the engine's store is the one that the channel had, with nothing lost, and has room. False because it is another one, or an
        /// older copy: inbound is accepted, but nothing is sent by itself until a person accepts the store. False because its volume is full
        /// (`StorageFull`): nothing new is taken, and it goes on by itself when there is room.
        StorageIntact,
        /// SmsChannel: the engine's time is right, as far as anybody can tell. False: hours, timers and times of messages may be wrong; texts go
        /// on flowing, and nothing is deleted that may be too young.
        ClockInSync,
        /// SmsChannel, Campaign: the campaign is open now.
        InHours,
        /// SmsChannel: the service level is at or above its objective.
        ServiceLevelMet,
        /// SmsChannel: interactions leave the queue as they should.
        QueueHealthy,
        /// Bot: no step failed within the last hour, in any channel. False: a service could not be asked, or the bot could not go on. What
        /// customers do (no answer in time, none that is accepted, or a conversation without an end) never touches it, and it never touches
        /// `Ready`.
        StepsSucceed,
    }
}
