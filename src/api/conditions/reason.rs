//! The reasons of conditions, events and metrics.

use super::closed;

closed! {
    /// Why a condition has its status. Events and metrics use the same names.
    pub enum Reason {
        /// The configuration is in force and what carries it runs.
        Available,
        /// `spec.enabled` is false, and that is in force.
        Disabled,
        /// The annotation `aldis.dev/reconcile: disabled` pauses this object. Remove it to go on.
        Paused,
        /// The operator applies changes, or waits for pods to start. Wait.
        Progressing,
        /// The object is being deleted. Of a channel: nothing new comes in, and what is under way is sent, for at most 60 seconds. Of a
        /// connector: its channels go first, and its spool empties, for at most 120 seconds. The message says what is waited for.
        Draining,
        /// The object was deleted before everything could be sent. What was left is named in the message.
        DrainTimedOut,
        /// The spec holds something that cannot work. The message names the field and what to write instead.
        InvalidSpec,
        /// This version of the operator cannot read the object: it uses something of a newer version, or was written past an older schema.
        /// The message names the field. What was in force stays in force. Correct the object, or upgrade the operator.
        Unreadable,
        /// The configuration does not fit into what a pod can be given. The message says what to shorten.
        ConfigTooLarge,
        /// An object with a name that we need exists and is not ours. Rename or delete it.
        NameConflict,
        /// The provider's address is not on the operator's list of allowed addresses. Ask the platform team to add it.
        BaseUrlNotAllowed,
        /// The platform team has bound the provider's account to other namespaces. Ask them to add this one.
        AccountNotAllowed,
        /// The operator lacks a right on the API server. The message has its words; the platform team must give the operator the rights
        /// that the chart of its version has.
        Forbidden,
        /// A quota of the namespace leaves no room for what the operator makes. The message names it; raise it, or delete what is not
        /// needed. It is noticed within minutes.
        QuotaExceeded,
        /// The volume is to be larger, and its storage class cannot make it so. Set the size back to the one that the message names
        /// (`status.volumeSize`), or have the storage class allow expansion. Everything else that was asked for is in force.
        VolumeCannotGrow,
        /// An admission policy or webhook refuses what the operator writes. The message names the object and the policy. Behind a policy of
        /// the chart (`aldis-operator-…`), the chart and the operator's image are not of one version: upgrade both together. Behind
        /// another one, the platform team must let the operator's objects pass. It is noticed within minutes.
        RefusedByPolicy,
        /// The API server or the network failed. The operator tries again by itself.
        TransientError,
        /// What is asked for cannot be judged yet, since something before it is not in place. The message says what.
        NotCheckedYet,

        /// Everything that is referred to exists and is usable.
        Resolved,
        /// The campaign does not exist in this namespace. Create it, or correct `campaignRef`.
        CampaignNotFound,
        /// The campaign exists but its spec is not valid. Look at the campaign's conditions.
        CampaignInvalid,
        /// A bot does not exist in this namespace. Create it, or correct `automations`. The engine goes on with the configuration that it has.
        BotNotFound,
        /// A bot has faults, or answers that are words by which this channel's customers opt out. The message has the first one; the Bot's
        /// status has those that do not depend on the channel. The engine goes on with the configuration that it has, and nothing else that is
        /// changed in the channel is put in force until the bot is mended or not named any more.
        BotInvalid,
        /// The connector does not exist in this namespace. Create it, or correct `connectorRef`.
        ConnectorNotFound,
        /// The connector is disabled: what customers write is taken, and answers wait, since nothing is sent. Enable the connector, or
        /// disable the channel too.
        ConnectorDisabled,
        /// The connector exists but is not ready. Look at the connector's conditions.
        ConnectorNotReady,

        /// The number is at the provider, can do SMS, and is offered by the connector.
        Verified,
        /// The provider cannot be asked which numbers the account has: what the connector's `numbers` declare is believed. If one of them is
        /// not the account's, its texts never arrive.
        Declared,
        /// The connector's `numbers` do not list the number. Add it there, or correct `number`.
        NumberNotInConnector,
        /// The provider's account does not have the number. Buy or move it there, or correct `number`; it is noticed within a minute.
        NumberNotAtProvider,
        /// The provider says that the number cannot do SMS. Enable it at the provider, or use another number; it is noticed within a minute.
        NumberNotSmsCapable,
        /// Numbers that the connector lists are not at the provider. The message names some.
        NumbersMissing,
        /// Numbers that the connector lists cannot do SMS. The message names some.
        NumbersNotSmsCapable,

        /// The number belongs to this channel.
        Claimed,
        /// Another channel has the number. This channel takes over by itself when the other one is gone.
        HeldByOther,
        /// Another channel got the number while the record of this channel's claim was lost (its Lease was deleted, or not restored).
        /// This engine is kept as it is, but neither sends nor receives. Delete the one of the two channels that shall not have the
        /// number.
        ClaimLost,

        /// The provider answers.
        Reachable,
        /// The provider accepts the credentials.
        Accepted,
        /// Nothing is known to be wrong, and nobody was asked: the connector names no call by which the provider could be
        /// (`spec.provider.http.check`). An attempt to send that is refused for the credentials shows for a minute.
        Assumed,
        /// The Secret with the credentials does not exist, or has none of the keys. Create it with the keys that the message names.
        SecretMissing,
        /// The Secret with the credentials lacks a key. The message names it.
        SecretKeyMissing,
        /// The provider refuses the credentials. Put the right ones into the Secret; it is noticed within a minute.
        CredentialsRejected,
        /// The provider has suspended or closed the account. Talk to the provider; it is noticed within a minute.
        AccountSuspended,
        /// The provider cannot be reached. The message says how it failed; the gateway tries again by itself.
        ProviderUnreachable,
        /// The provider does not answer in time. The gateway tries again by itself.
        ProviderSlow,
        /// The provider answers with an error of its own. The message has its words; the gateway tries again by itself.
        ProviderError,
        /// The provider limits how often it may be asked. The gateway waits and tries again by itself.
        ProviderRateLimited,

        /// The provider has our addresses.
        InSync,
        /// The provider sends some numbers elsewhere. The message says where; correct it at the provider.
        WebhookDiffers,
        /// The provider has no address for some numbers, so that their messages are lost. Set the addresses that the message names.
        WebhookNotSet,
        /// `webhook.management` is Ignore: nobody looks.
        NotManaged,
        /// Every inbound message found a channel, and there is room in the spool.
        AllRouted,
        /// Messages wait in the spool, since no channel has their number. They are delivered if one appears within the retention period.
        Unrouted,
        /// An engine does not take some messages, while it takes others. They are kept and tried again every minute. The message has the
        /// engine's words; mend the cause.
        Parked,
        /// The spool's volume is full, or a number has as much in it as one may have: messages that wait for its engine, or attempts to send of
        /// the last ten minutes. What is in it is delivered, and others go on sending; further messages for engines that are away are turned
        /// away, and further attempts wait. Get the engines running, or enlarge the volume.
        SpoolFull,
        /// The spool's file was damaged and set aside. What could be read was taken over, and the gateway goes on.
        SpoolDamaged,
        /// The spool's database fails for another reason than room: the volume became read-only, or its disk fails. The message has SQLite's word
        /// for it. Texts for engines that are away are turned away, and what waits may not be delivered. Look at the log of the gateway's pod and at
        /// the pod's volume.
        SpoolFailing,

        /// The pod runs and answers.
        Running,
        /// The pod is being made, or starts.
        Starting,
        /// The pod ends again and again. The message has the last words; look at its log.
        Crashing,
        /// The pod's image cannot be pulled.
        ImageUnavailable,
        /// No node has room for the pod. The message has the scheduler's words.
        Unschedulable,
        /// The pod's volume is not there yet. The message has the scheduler's words; `kubectl describe pvc` may say more.
        VolumePending,
        /// The node that the pod runs on does not answer. It comes back with the node, or when the node is removed.
        NodeLost,
        /// The pod runs but does not answer the operator.
        Unreachable,
        /// The pod runs a newer version than the operator, which never goes back. Upgrade the operator.
        NewerVersion,

        /// The pod has loaded the configuration.
        Applied,
        /// The pod has not loaded the newest configuration yet. Usually it takes a second.
        Applying,
        /// The pod cannot load the configuration and goes on with the old one. The message has its words.
        ConfigRejected,

        /// The store is the one that the channel had.
        Intact,
        /// The store belongs to another number or account. Give the channel its own volume, or accept the store by annotation
        /// `aldis.dev/accept-storage`.
        StorageForeign,
        /// The store is not the one that the channel had: the volume was replaced or lost. Restore it, or accept the new one by annotation
        /// `aldis.dev/accept-storage`.
        StorageReplaced,
        /// The store is an older copy of itself: a backup was restored. Accept it by annotation `aldis.dev/accept-storage`.
        StorageRolledBack,

        /// The volume is full: the engine takes nothing new, and inbound texts wait in the gateway. Enlarge
        /// `engine.storage.volume.size` or shorten `retentionDays`; it goes on by itself when there is room.
        StorageFull,

        /// The engine's time is that of its node's clock, and of the operator's.
        ClockRight,
        /// The node's clock is behind the engine's time: it was set back, or was ahead before. Time goes on without it. When the clock is
        /// right, say so by annotation `aldis.dev/accept-clock`.
        ClockBehind,
        /// The node's clock went ahead at once. Time follows it, but nothing is deleted until it has gone on for as long, or until a person
        /// says by annotation `aldis.dev/accept-clock` that it is right.
        ClockLeapt,
        /// The engine's time and the operator's are more than a minute apart. Set the clock of the node that is wrong.
        ClockSkewed,

        /// The campaign is open now.
        Open,
        /// The campaign is closed now, by its weekly hours.
        Closed,
        /// The campaign is closed now, by an exception for this day.
        ClosedByException,
        /// The campaign has no schedule, and is always open.
        AlwaysOpen,

        /// At least as many were answered in time as the objective asks for.
        ObjectiveMet,
        /// Fewer were answered in time than the objective asks for.
        BelowObjective,
        /// Too few interactions in the window to judge.
        TooFewSamples,
        /// Interactions find an agent as they should.
        QueueMoving,
        /// The queue is full; new interactions are rejected.
        QueueFull,
        /// Interactions wait, and no agent is available.
        NoAgentAvailable,
        /// The oldest interaction has waited far beyond the target.
        BacklogGrowing,
        /// The engine could not be asked, so that nobody knows.
        MetricsUnavailable,

        /// The spec is valid. Nothing has to run for it.
        Valid,
        /// The bot has no faults.
        Compiled,
        /// The bot has faults. The message and `status.faults` name step and position.
        FaultsFound,
        /// In the last hour no step of the bot failed for another reason than what customers did.
        NoStepFailed,
        /// In the last hour steps of the bot failed, and not for what customers did: a service could not be asked, a Secret is missing, variables
        /// became too many, or a version is lost. The message names the steps; `status.lastFailures` has how often, and in which channel.
        StepsFail,
        /// `timeZone` is not a time zone that IANA knows.
        TimeZoneUnknown,
        /// The schedule has a fault. The message names the day.
        ScheduleInvalid,
        /// The entries are in force on every channel concerned.
        InForce,
        /// The entries are not in force everywhere yet. The message names the channels.
        PartlyInForce,

        /// Event: something that we own had been changed or deleted by somebody else, and was put right.
        Repaired,
        /// Event: the claim on the number was given up.
        ClaimReleased,
    }
}

impl Reason {
    /// Whether only a person can help. The others pass by themselves, or when a missing object appears.
    pub const fn needs_person(self) -> bool {
        matches!(
            self,
            Self::InvalidSpec
                | Self::Unreadable
                | Self::ConfigTooLarge
                | Self::NameConflict
                | Self::BaseUrlNotAllowed
                | Self::AccountNotAllowed
                | Self::Forbidden
                | Self::QuotaExceeded
                | Self::VolumeCannotGrow
                | Self::RefusedByPolicy
                | Self::CampaignInvalid
                | Self::BotInvalid
                | Self::ConnectorDisabled
                | Self::NumberNotInConnector
                | Self::NumberNotAtProvider
                | Self::NumberNotSmsCapable
                | Self::NumbersMissing
                | Self::NumbersNotSmsCapable
                | Self::HeldByOther
                | Self::ClaimLost
                | Self::CredentialsRejected
                | Self::AccountSuspended
                | Self::SecretKeyMissing
                | Self::NewerVersion
                | Self::ConfigRejected
                | Self::StorageForeign
                | Self::StorageReplaced
                | Self::StorageRolledBack
                | Self::StorageFull
                | Self::FaultsFound
                | Self::TimeZoneUnknown
                | Self::ScheduleInvalid
        )
    }
}
