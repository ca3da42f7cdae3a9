//! For whom something is asked or done: one tenant, or the installation that all tenants share.
//!
//! Whatever holds what is a tenant's takes a [`Tenancy`], so that nobody can leave the question open.

use std::fmt;

use crate::names::TenantName;

/// For whom.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Tenancy {
    /// The installation: its own things, and those of all tenants.
    Installation,
    /// One tenant, and nothing of any other nor of what all share.
    Tenant(TenantName),
}

impl Tenancy {
    /// Of this tenant, or of the installation if there is none.
    pub fn of(tenant: Option<TenantName>) -> Self {
        tenant.map_or(Self::Installation, Self::Tenant)
    }

    /// The one tenant, if it is one.
    pub const fn tenant(&self) -> Option<&TenantName> {
        match self {
            Self::Installation => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }

    /// Whether what is `tenant`'s may be seen.
    pub fn covers(&self, tenant: &TenantName) -> bool {
        self.tenant().is_none_or(|own| own == tenant)
    }

    /// What is left of this if only `asked` is asked for; none if that is another's.
    pub fn narrowed(&self, asked: Option<TenantName>) -> Option<Self> {
        match asked {
            None => Some(self.clone()),
            Some(asked) => self.covers(&asked).then_some(Self::Tenant(asked)),
        }
    }
}

impl fmt::Display for Tenancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str("the installation"),
            Self::Tenant(tenant) => write!(f, "tenant `{tenant}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_sees_its_own_and_nothing_of_another() {
        let tenant = |name: &str| TenantName::new(name).unwrap();
        let acme = Tenancy::Tenant(tenant("acme"));
        assert!(acme.covers(&tenant("acme")) && !acme.covers(&tenant("globex")));
        assert_eq!(acme.narrowed(None), Some(acme.clone()));
        assert_eq!(acme.narrowed(Some(tenant("globex"))), None);
        let all = Tenancy::Installation;
        assert!(all.covers(&tenant("acme")));
        assert_eq!(all.narrowed(Some(tenant("acme"))), Some(acme));
    }
}
