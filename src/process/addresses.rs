//! Addresses that nobody's configuration may lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address answers with a machine's own credentials, lies on its link, or is no machine at all.
pub(crate) fn is_never_allowed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_never_allowed_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_never_allowed_v4(mapped),
            None => {
                address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unicast_link_local()
                    || METADATA_V6.contains(&address.segments())
                    || embedded(address).is_some_and(is_never_allowed_v4)
            }
        },
    }
}

/// Services of clouds that give a machine's credentials and lie outside of the link-local block: instance metadata and the identity agent of
/// pods at one, instance metadata at another.
const METADATA_V6: [[u16; 8]; 3] =
    [[0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]];

/// The IPv4 address to which a network may lead this one on: by NAT64 (RFC 6052), 6to4 (RFC 3056), or as IPv4-compatible (RFC 4291).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0x64, 0xff9b, 0, 0, 0, 0] | [0, 0, 0, 0, 0, 0] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

fn is_never_allowed_v4(address: Ipv4Addr) -> bool {
    // 100.100.100.200 and 168.63.129.16 are metadata services of clouds outside the link-local block.
    let metadata = [[100, 100, 100, 200], [168, 63, 129, 16]];
    address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || metadata.contains(&address.octets())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_machine_are_not_reached_by_another_form_of_their_address() {
        let never = [
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "224.0.0.1",
            "::",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::100.100.100.200",
            "2002:a9fe:a9fe::1",
        ];
        for address in never {
            assert!(is_never_allowed(address.parse().unwrap()), "{address}");
        }
        let allowed = [
            "10.0.0.1",
            "192.0.2.1",
            "127.0.0.1",
            "::1",
            "fd00::1",
            "2001:db8::1",
            "64:ff9b::192.0.2.1",
            "2002:c000:201::1",
        ];
        for address in allowed {
            assert!(!is_never_allowed(address.parse().unwrap()), "{address}");
        }
    }
}
