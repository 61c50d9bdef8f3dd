//! What Bandwidth shows of the account: the messaging application, its locations, and their numbers. XML, on another host than messages.
//!
//! A number sends for the application whose location it is in. Resources and shapes are those of Bandwidth's OpenAPI specification of the Numbers API
//! (`GetApplication`, `ListAssociatedSippeers`, `ReadSipPeerTns`): <https://dev.bandwidth.com/apis/numbers>. Version 2 writes numbers as E.164, version 1
//! without the country; both are read.

use quick_xml::{Reader, events::Event};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use super::Bandwidth;
use crate::{
    gateway::providers::{
        CheckError, ConfiguredWebhook, ProviderNumber,
        http::{self, Answered},
    },
    sms::PhoneNumber,
};

/// Bandwidth's own default is 5000; an answer of so many would be near the longest that is read.
const PAGE_SIZE: usize = 1000;
/// No location has more pages; a list that goes on is going round.
const MAX_PAGES: usize = 200;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ApplicationAnswer {
    application: Application,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Application {
    #[serde(default)]
    inbound_callback_url: String,
    /// What it was called before there were two.
    #[serde(default)]
    msg_callback_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LocationsAnswer {
    #[serde(default)]
    associated_sip_peers: Locations,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Locations {
    #[serde(default)]
    associated_sip_peer: Vec<Location>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Location {
    site_id: String,
    peer_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NumbersAnswer {
    #[serde(default)]
    sip_peer_telephone_numbers: Numbers,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Numbers {
    #[serde(default)]
    sip_peer_telephone_number: Vec<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Number {
    full_number: String,
    #[serde(default)]
    messaging_settings: MessagingSettings,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MessagingSettings {
    #[serde(default)]
    sms_enabled: String,
}

impl Application {
    fn webhook(self) -> ConfiguredWebhook {
        let urls = [self.inbound_callback_url, self.msg_callback_url];
        match urls.into_iter().map(|url| url.trim().to_owned()).find(|url| !url.is_empty()) {
            Some(url) => ConfiguredWebhook::Url { method: "POST".into(), url },
            None => ConfiguredWebhook::Unset,
        }
    }
}

impl Number {
    fn number(&self) -> Option<PhoneNumber> {
        let written = self.full_number.trim();
        // Ten digits are a number of the North American plan without its 1.
        let full =
            if written.len() == 10 && !written.starts_with('+') { format!("+1{written}") } else { written.into() };
        PhoneNumber::from_provider(&full, None).ok()
    }
}

impl Bandwidth {
    /// Lists the numbers of the application's locations.
    pub(super) async fn list_numbers(&self) -> Result<Vec<ProviderNumber>, CheckError> {
        let application = format!("/applications/{}", self.settings.application_id);
        let webhook = self.show::<ApplicationAnswer>(&application, &[]).await?.application.webhook();
        let locations = self.show::<LocationsAnswer>(&format!("{application}/associatedsippeers"), &[]).await?;
        let mut numbers = Vec::new();
        for location in locations.associated_sip_peers.associated_sip_peer {
            let listed = self.numbers_of(&location).await?.into_iter().filter_map(|listed| {
                let sms_capable = listed.messaging_settings.sms_enabled.trim() == "true";
                Some(ProviderNumber { number: listed.number()?, sms_capable, webhook: webhook.clone() })
            });
            numbers.extend(listed);
        }
        Ok(numbers)
    }

    async fn numbers_of(&self, location: &Location) -> Result<Vec<Number>, CheckError> {
        let path = format!("/sites/{}/sippeers/{}/tns", location.site_id.trim(), location.peer_id.trim());
        let mut numbers = Vec::new();
        for page in 1..=MAX_PAGES {
            let answer = self.show::<NumbersAnswer>(&path, &[("page", page), ("size", PAGE_SIZE)]).await?;
            let listed = answer.sip_peer_telephone_numbers.sip_peer_telephone_number;
            let is_last = listed.len() < PAGE_SIZE;
            numbers.extend(listed);
            if is_last {
                return Ok(numbers);
            }
        }
        Err(CheckError::fault(format!("a list of more than {MAX_PAGES} pages")))
    }

    /// Asks for something below the account.
    async fn show<T: DeserializeOwned>(&self, path: &str, query: &[(&str, usize)]) -> Result<T, CheckError> {
        let token = self.tokens.get().await?;
        let settings = &self.settings;
        let url = format!("{}/api/v2/accounts/{}{path}", settings.api_url(), settings.account_id);
        let request = self.client.request(Method::GET, &url).query(query).bearer_auth(token.reveal());
        let answered = http::call(request).await?;
        if answered.status == StatusCode::UNAUTHORIZED {
            self.tokens.refused(&token).await;
        }
        if answered.status != StatusCode::OK {
            return Err(refused(&answered));
        }
        read(&answered.body)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, CheckError> {
    let wrong = |error: &dyn std::error::Error| CheckError::fault(format!("not an answer of Bandwidth's API: {error}"));
    let text = str::from_utf8(body).map_err(|error| wrong(&error))?;
    quick_xml::de::from_str(text).map_err(|error| wrong(&error))
}

fn refused(answered: &Answered) -> CheckError {
    let status = answered.status.as_u16();
    let said = ["ErrorCode", "Code", "Description"].map(|name| text_of(&answered.body, name));
    let said = said.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let message = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}, Bandwidth: {said}") };
    match status {
        404 => CheckError::Invalid(format!("the account has no such application: {message}")),
        // Answered with no body: the credential lacks a role.
        403 => CheckError::Invalid(format!("the API credential may not see applications or numbers: {message}")),
        _ => CheckError::by_status(answered, message),
    }
}

/// The text of the first element with this name.
fn text_of(body: &[u8], name: &str) -> Option<String> {
    let mut reader = Reader::from_str(str::from_utf8(body).ok()?);
    let mut inside = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => inside = start.local_name().as_ref() == name,
            Event::Text(text) if inside => return Some(text.trim().to_owned()),
            Event::End(_) => inside = false,
            Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_says_whom_it_calls() {
        let webhook = |inside: &str| {
            let head = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
            let body = format!(
                "{head}<ApplicationProvisioningResponse>\n <Application><ApplicationId>e5a9</ApplicationId><ServiceType>Messaging-V2</ServiceType>\
                 <!--DEPRECATED-->{inside}<InboundCallbackCreds><UserId>15jP</UserId></InboundCallbackCreds><RequestedCallbackTypes>\
                 <CallbackType>message-delivered</CallbackType><CallbackType>message-failed</CallbackType></RequestedCallbackTypes></Application>\
                 </ApplicationProvisioningResponse>"
            );
            read::<ApplicationAnswer>(body.as_bytes()).unwrap().application.webhook()
        };
        let url = |url: &str| ConfiguredWebhook::Url { method: "POST".into(), url: url.into() };
        let both =
            "<MsgCallbackUrl>https://a</MsgCallbackUrl><InboundCallbackUrl>https://b?x=1&amp;y=2</InboundCallbackUrl>";
        assert_eq!(webhook(both), url("https://b?x=1&y=2"));
        assert_eq!(webhook("<MsgCallbackUrl> https://a </MsgCallbackUrl>"), url("https://a"));
        assert_eq!(webhook("<InboundCallbackUrl/>"), ConfiguredWebhook::Unset);
    }

    #[test]
    fn locations_and_numbers_are_read() {
        let locations = |body: &str| {
            let answer = read::<LocationsAnswer>(body.as_bytes()).unwrap();
            let ids = answer.associated_sip_peers.associated_sip_peer.into_iter();
            ids.map(|location| format!("{}/{}", location.site_id, location.peer_id)).collect::<Vec<_>>()
        };
        let two = "<AssociatedSipPeersResponse><AssociatedSipPeers>\
            <AssociatedSipPeer><SiteId>482</SiteId><SiteName>s</SiteName><PeerId>500018</PeerId><PeerName>p</PeerName></AssociatedSipPeer>\
            <AssociatedSipPeer><SiteId>483</SiteId><PeerId>500019</PeerId></AssociatedSipPeer></AssociatedSipPeers></AssociatedSipPeersResponse>";
        assert_eq!(locations(two), ["482/500018", "483/500019"]);
        for none in ["<A/>", "<A><AssociatedSipPeers/></A>", "<A><AssociatedSipPeers></AssociatedSipPeers></A>"] {
            assert!(locations(none).is_empty(), "{none}");
        }
        let body = "<SipPeerTelephoneNumbersResponse><SipPeerTelephoneNumbers>\
            <SipPeerTelephoneNumber><FullNumber>2052160148</FullNumber><TnAttributes><TnAttribute>A</TnAttribute><TnAttribute>B</TnAttribute>\
            </TnAttributes><MessagingSettings><SmsEnabled>true</SmsEnabled></MessagingSettings></SipPeerTelephoneNumber>\
            <SipPeerTelephoneNumber><FullNumber>+33140289562</FullNumber><MessagingSettings><SmsEnabled>false</SmsEnabled></MessagingSettings>\
            </SipPeerTelephoneNumber><SipPeerTelephoneNumber><FullNumber>+12053160118</FullNumber><CallForward>2014563025</CallForward>\
            </SipPeerTelephoneNumber></SipPeerTelephoneNumbers></SipPeerTelephoneNumbersResponse>";
        let answer = read::<NumbersAnswer>(body.as_bytes()).unwrap();
        let listed = answer.sip_peer_telephone_numbers.sip_peer_telephone_number.into_iter();
        let listed: Vec<_> = listed
            .map(|number| (number.number().unwrap().to_string(), number.messaging_settings.sms_enabled == "true"))
            .collect();
        let expected = [("+12052160148", true), ("+33140289562", false), ("+12053160118", false)];
        assert_eq!(listed, expected.map(|(number, sms)| (number.to_owned(), sms)));
        assert!(read::<ApplicationAnswer>(b"<html>").is_err());
        assert!(read::<ApplicationAnswer>(b"\xff").is_err());
    }

    #[test]
    fn refusals_say_why() {
        let refused = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            refused(&Answered { status, retry_after: None, body: body.into() })
        };
        let body = "<AssociatedSipPeersResponse><ResponseStatus><ErrorCode>13629</ErrorCode><Description>Application with id 'x' not found\
            </Description></ResponseStatus></AssociatedSipPeersResponse>";
        let message =
            "the account has no such application: HTTP 404, Bandwidth: 13629 Application with id 'x' not found";
        assert_eq!(refused(404, body), CheckError::Invalid(message.into()));
        assert!(matches!(refused(403, ""), CheckError::Invalid(message) if message.ends_with("HTTP 403")));
        assert!(matches!(refused(503, "<html"), CheckError::Unasked(_)));
    }
}
