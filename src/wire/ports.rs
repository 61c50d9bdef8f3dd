//! Ports and paths that are the same in every pod.

/// Engine: agents' HTTP. Gateway: the provider's webhooks.
pub const PUBLIC: u16 = 8080;
/// Engine and gateway: the internal API, for each other and the operator.
pub const INTERNAL: u16 = 8081;
/// Every role: `/livez`, `/readyz`, `/metrics`.
pub const ADMIN: u16 = 9090;
/// The simulator's page and provider API.
pub const SIMULATOR: u16 = 8090;

/// Agents to engine: everything of one channel lies below it.
pub const CHANNEL_PATH: &str = "/v1/channels/{channel}";
/// Gateway to engine: one inbound message.
pub const INBOUND_PATH: &str = "/internal/channels/{channel}/inbound";
/// Gateway to engine: one delivery receipt.
pub const RECEIPTS_PATH: &str = "/internal/channels/{channel}/receipts";
/// Gateway to engine: several messages and receipts at once.
pub const DELIVERIES_PATH: &str = "/internal/channels/{channel}/deliveries";
/// Operator to engine: how one channel is.
pub const CHANNEL_STATUS_PATH: &str = "/internal/channels/{channel}/status";
/// Engine to gateway: one attempt to send.
pub const MESSAGES_PATH: &str = "/internal/messages";
/// Operator to gateway.
pub const STATUS_PATH: &str = "/internal/status";
/// Provider to gateway: inbound messages, below the connector's public URL.
pub const HOOK_INBOUND_PATH: &str = "/hooks/inbound";
/// Provider to gateway: delivery receipts; the query carries the receipt token as `t`.
pub const HOOK_STATUS_PATH: &str = "/hooks/status";

/// A path that names a channel: `pattern` with the name in the place of `{channel}`. Names of channels are DNS labels, which stand in
/// a path as they are.
pub fn of_channel(pattern: &str, channel: &str) -> String {
    pattern.replace("{channel}", channel)
}

/// Where the projected configuration volume is mounted in gateway and engine.
pub const CONFIG_DIR: &str = "/etc/aldis/config";
/// Where a gateway's credentials are mounted, one file per key.
pub const CREDENTIALS_DIR: &str = "/etc/aldis/credentials";
/// Where the Secrets of bots are mounted in an engine, each in a folder of its name.
pub const BOT_SECRETS_DIR: &str = "/etc/aldis/bot-secrets";
/// Where the projected ServiceAccount token is mounted, audience `aldis:<namespace>`.
pub const TOKEN_FILE: &str = "/var/run/aldis/token/token";
/// Where the engine's store or the gateway's spool lies.
pub const DATA_DIR: &str = "/var/lib/aldis";
