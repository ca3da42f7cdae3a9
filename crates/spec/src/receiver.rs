//! Who is told of alarms, and which addresses are private.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use plimsoll_core::monitor::Severity;
use plimsoll_core::{Secret, SystemName};

/// A receiver of alerts.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name in records.
    pub name: String,
    /// What it is.
    pub kind: ReceiverKind,
    /// Of which systems it is told; none: of all.
    pub systems: Option<BTreeSet<SystemName>>,
    /// The least severity that it is told of.
    pub least: Severity,
    /// It is told only of alarms that still stand after so long.
    pub after: Duration,
    /// Whether its address may be private.
    pub private: bool,
}

impl Receiver {
    /// Whether it is told of this.
    pub fn wants(&self, system: &SystemName, severity: Severity) -> bool {
        severity >= self.least
            && self
                .systems
                .as_ref()
                .is_none_or(|systems| systems.contains(system))
    }
}

/// What a receiver is.
#[derive(Clone, Debug)]
pub enum ReceiverKind {
    /// JSON, signed as Standard Webhooks asks for.
    Webhook {
        /// The address.
        url: String,
        /// What signs.
        secret: Secret,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// The address, which is the secret.
        url: Secret,
    },
    /// The Events API v2 of `PagerDuty`.
    Pagerduty {
        /// The address.
        url: String,
        /// The integration's key.
        routing_key: Secret,
    },
    /// Alertmanager's API v2.
    Alertmanager {
        /// The address of its alerts.
        url: String,
    },
}

impl ReceiverKind {
    /// What it is, in a word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Pagerduty { .. } => "pagerduty",
            Self::Alertmanager { .. } => "alertmanager",
        }
    }

    /// The address that is called. For Slack it is a secret: it is shown nowhere.
    pub fn url(&self) -> &str {
        match self {
            Self::Webhook { url, .. }
            | Self::Pagerduty { url, .. }
            | Self::Alertmanager { url } => url,
            Self::Slack { url } => url.expose(),
        }
    }
}

/// Whether the host of a URL is, as it stands, an address of this machine or of a private network.
pub fn is_private_host(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => is_private(address),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether an address is of this machine, of a private network, or of none that can be reached from
/// everywhere (IANA's special-purpose registries).
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19))
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            let embedded = v6.to_ipv4_mapped().or_else(|| nat64(v6));
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || (first & 0xfe00) == 0xfc00
                || (first & 0xffc0) == 0xfe80
                || (first == 0x2001 && second == 0xdb8)
                || embedded.is_some_and(|v4| is_private(IpAddr::V4(v4)))
        }
    }
}

/// The IPv4 address behind one of `64:ff9b::/96` (RFC 6052).
fn nat64(address: std::net::Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    let segments = address.segments();
    (segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0]).then(|| {
        let [.., a, b, c, d] = address.octets();
        std::net::Ipv4Addr::new(a, b, c, d)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_dress() {
        for private in [
            "http://127.0.0.1:9093/x",
            "http://localhost",
            "https://LOCALHOST./x",
            "http://10.1.2.3",
            "http://192.168.0.1",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1",
            "https://example.com@169.254.169.254/latest/meta-data",
            "http://0.0.0.0",
            "http://[::1]:80/",
            "http://[fd00::1]",
            "http://[fe80::1]",
            "http://[::ffff:127.0.0.1]",
            "http://[64:ff9b::a9fe:a9fe]",
        ] {
            assert!(is_private_host(private), "{private}");
        }
        for public in [
            "https://example.com",
            "https://8.8.8.8",
            "https://[2606:4700::1111]",
        ] {
            assert!(!is_private_host(public), "{public}");
        }
    }
}
