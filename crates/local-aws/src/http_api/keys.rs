//! The issuer's signing keys: RSA pairs by key id, one of which signs.
//!
//! An issuer rotates its keys: it publishes a new key, signs with it, and removes the old key when
//! its tokens have expired. API Gateway fetches the set again for an unknown key, and may accept a
//! removed key as long as it caches the set (two hours, according to its guide). Here a removed key
//! is rejected at once, so that a test need not wait for the worst case.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::encoding::AsDer;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use crate::error::Error;

/// Length of the part of a PKCS#8 document before its RSA key of 2048 bits.
const PKCS8_PREFIX: usize = 26;

/// One key pair.
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) private: EncodingKey,
    pub(super) public: DecodingKey,
    jwk: Jwk,
}

/// The published keys, oldest first. The last one signs.
pub(super) struct Keys(RwLock<Vec<Arc<Key>>>);

/// Why a key cannot be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRemoved {
    /// No published key has this id.
    #[error("no key has this id")]
    Unknown,
    /// It is the signing key.
    #[error("this key signs: add another one first")]
    Signs,
}

impl Key {
    pub(super) fn new() -> Result<Self, Error> {
        let failed = |error: jsonwebtoken::errors::Error| Error::Issuer(error.to_string());
        let private = new_pair()?;
        let kid = uuid::Uuid::new_v4().to_string();
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::RS256).map_err(failed)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.key_algorithm = Some(KeyAlgorithm::RS256);
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk).map_err(failed)?;
        Ok(Self { kid, private, public, jwk })
    }
}

impl Keys {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self(RwLock::new(vec![Arc::new(Key::new()?)])))
    }

    /// Publishes a new key, which signs from now on, and returns its id.
    pub(super) fn rotate(&self) -> Result<String, Error> {
        let key = Arc::new(Key::new()?);
        let kid = key.kid.clone();
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(key);
        Ok(kid)
    }

    /// Removes a key. Tokens that it signed are rejected from now on.
    pub(super) fn remove(&self, kid: &str) -> Result<(), NotRemoved> {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let at = keys.iter().position(|key| key.kid == kid).ok_or(NotRemoved::Unknown)?;
        if at + 1 == keys.len() {
            return Err(NotRemoved::Signs);
        }
        keys.remove(at);
        Ok(())
    }

    /// Returns the signing key.
    pub(super) fn signing(&self) -> Option<Arc<Key>> {
        self.all().pop()
    }

    /// Returns the published key with this id.
    pub(super) fn named(&self, kid: &str) -> Option<Arc<Key>> {
        self.all().into_iter().find(|key| key.kid == kid)
    }

    /// Returns the document that verifiers fetch.
    pub(super) fn jwks(&self) -> JwkSet {
        JwkSet { keys: self.all().iter().map(|key| key.jwk.clone()).collect() }
    }

    fn all(&self) -> Vec<Arc<Key>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn new_pair() -> Result<EncodingKey, Error> {
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    let failed = |_| Error::Issuer("no RSA key could be made".to_owned());
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let wrapped = pair.as_der().map_err(failed)?;
    // The signer expects the bare RSA key (PKCS#1); the part before it always has the same length.
    let bare = wrapped.as_ref().get(PKCS8_PREFIX..).unwrap_or_default();
    KeyPair::from_der(bare).map_err(|error| Error::Issuer(error.to_string()))?;
    Ok(EncodingKey::from_rsa_der(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_signs_and_the_old_one_stays_until_it_is_removed() {
        let keys = Keys::new().unwrap();
        let old = keys.signing().unwrap().kid.clone();
        assert_eq!(keys.remove(&old), Err(NotRemoved::Signs));
        let new = keys.rotate().unwrap();
        assert_eq!(keys.signing().unwrap().kid, new);
        assert!(keys.named(&old).is_some());
        assert_eq!(keys.jwks().keys.len(), 2);
        assert_eq!(keys.remove(&old), Ok(()));
        assert_eq!(keys.remove(&old), Err(NotRemoved::Unknown));
        assert!(keys.named(&old).is_none());
    }
}
