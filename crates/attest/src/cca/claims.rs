//! What a verified token says.

use serde::Serialize;

use super::platform::PlatformClaims;
use super::realm::RealmClaims;
use super::token::Token;

/// The claims of both parts of a token whose signatures and binding are verified.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Claims {
    platform: PlatformClaims,
    realm: RealmClaims,
    lifecycle_state: &'static str,
    summary: Summary,
}

/// The shape of the token, for people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct Summary {
    outer_tag: u64,
    platform_alg: i64,
    platform_profile: String,
    lifecycle: u16,
    realm_alg: i64,
    realm_profile: Option<String>,
    rak_len: usize,
    rak_hash_alg: &'static str,
}

impl Claims {
    pub(super) fn new(token: &Token<'_>) -> Self {
        let (platform, realm) = (&token.platform_claims, &token.realm_claims);
        Self {
            summary: Summary {
                outer_tag: token.tag,
                platform_alg: token.platform.algorithm().number(),
                platform_profile: platform.profile.clone(),
                lifecycle: platform.lifecycle.value,
                realm_alg: token.realm.algorithm().number(),
                realm_profile: realm.profile.clone(),
                rak_len: realm.public_key.len(),
                rak_hash_alg: realm.public_key_hash_name(),
            },
            lifecycle_state: platform.lifecycle_state(),
            platform: platform.clone(),
            realm: realm.clone(),
        }
    }

    /// What the platform says about itself.
    #[must_use]
    pub fn platform(&self) -> &PlatformClaims {
        &self.platform
    }

    /// What the realm management monitor says about the realm.
    #[must_use]
    pub fn realm(&self) -> &RealmClaims {
        &self.realm
    }
}
