//! What is known of the provider, and what is asked of it: its discovery document and keys, codes for tokens.
//!
//! Documents are asked for when somebody needs them and kept for an hour. A token that is signed with a key
//! that is not known has the keys asked for again, at most twice a minute; a provider that did not answer is
//! left alone for some seconds. One asks at a time, to the end whether or not whoever needed it is still there,
//! and the others wait for what it learns.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, Client, ClientId,
    ClientSecret, CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IdToken, IdTokenFields, IdTokenVerifier, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
};
use plimsoll_core::{Clock, Timestamp};
use plimsoll_spec::IdentityProvider;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::claims::Vouched;
use super::fetch::{FetchError, Fetcher};
use super::login::Login;
use super::shown;

/// How long what the provider says of itself is taken for true.
const KEPT: Duration = Duration::from_hours(1);

/// How long after its keys were asked for they are not asked for again.
const KEYS_AGAIN: Duration = Duration::from_secs(30);

/// How long a provider is left alone that did not answer.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// How far its clock may be off ours.
const SKEW: Duration = Duration::from_secs(30);

/// The longest code, in bytes.
const CODE_BYTES_MAX: usize = 4_096;

/// The signatures that are looked at: only the provider can make one of these (RFC 8725, 3.1 and 3.2).
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// All claims but those that `OpenID` Connect names.
#[derive(Debug, Serialize, Deserialize)]
struct OtherClaims(Map<String, Value>);

impl AdditionalClaims for OtherClaims {}

type Fields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Token = IdToken<
    OtherClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Asking = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An identity provider.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    fetcher: Fetcher,
    known: Arc<Mutex<Known>>,
    clock: Arc<dyn Clock>,
}

/// What is known of it.
#[derive(Debug, Default)]
struct Known {
    said: Option<Arc<CoreProviderMetadata>>,
    /// When it was asked last, by the clock that is never set.
    asked_at: Option<Duration>,
    /// Whether that came to nothing.
    failed: bool,
}

/// Why the provider is of no use now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ProviderError {
    /// It does not answer, or not in a way that can be used: why stands in the log alone, as whoever likes is told
    /// the rest.
    Away,
    /// It vouches for nobody.
    Refused(String),
}

/// Whether this can be a code.
pub(super) const fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= CODE_BYTES_MAX
}

fn of_no_use(issuer: &str, why: &str) -> ProviderError {
    tracing::warn!(issuer, why, "the identity provider is of no use");
    ProviderError::Away
}

fn refused(why: impl Into<String>) -> ProviderError {
    ProviderError::Refused(why.into())
}

impl Provider {
    pub(super) fn new(rules: &IdentityProvider, clock: Arc<dyn Clock>) -> Self {
        Self {
            issuer: rules.issuer.clone(),
            fetcher: Fetcher::of(&rules.issuer),
            known: Arc::default(),
            clock,
        }
    }

    /// Where somebody goes to sign in.
    pub(super) async fn authorization_url(
        self: &Arc<Self>,
        rules: &IdentityProvider,
        login: &Login,
    ) -> Result<String, ProviderError> {
        let said = self.said().await?;
        let client = client(rules, &said)?;
        let (state, nonce) = (login.state.clone(), login.nonce.clone());
        let verifier = PkceCodeVerifier::new(login.verifier.clone());
        let mut request = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || Nonce::new(nonce),
        );
        for scope in &rules.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let (url, _, _) = request.set_pkce_challenge(challenge).url();
        Ok(url.to_string())
    }

    /// Whom the provider vouches for with this code.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        rules: &IdentityProvider,
        login: &Login,
        code: &str,
    ) -> Result<Vouched, ProviderError> {
        let said = self.said().await?;
        let client = client(rules, &said)?;
        let code = AuthorizationCode::new(code.to_owned());
        let request = client
            .exchange_code(code)
            .map_err(|_| self.unusable("names no token endpoint"))?;
        let verifier = PkceCodeVerifier::new(login.verifier.clone());
        let request = request.set_pkce_verifier(verifier);
        let answer = request.request_async(&self.fetcher).await;
        let answer = answer.map_err(|error| self.not_exchanged(error))?;
        let token = answer.extra_fields().id_token();
        let token = token.ok_or_else(|| self.unusable("gave no ID token for the code"))?;
        let claims = self.verified(rules, &said, token, &login.nonce).await?;
        Vouched::of(rules, &claims).map_err(ProviderError::Refused)
    }

    /// The claims of a token, if everything about it is right.
    async fn verified(
        self: &Arc<Self>,
        rules: &IdentityProvider,
        said: &Arc<CoreProviderMetadata>,
        token: &Token,
        nonce: &str,
    ) -> Result<Map<String, Value>, ProviderError> {
        let (nonce, now) = (Nonce::new(nonce.to_owned()), self.clock.now());
        let mut claims = token.claims(&verifier(rules, said, now)?, &nonce);
        if let Err(ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey,
        )) = claims
            && let Some(newer) = self.newer_than(said).await?
        {
            claims = token.claims(&verifier(rules, &newer, now)?, &nonce);
        }
        let claims = claims.map_err(|error| {
            let issuer = &self.issuer;
            tracing::warn!(%error, issuer, "an ID token was refused");
            refused(format!("the ID token is not good: {}", in_words(&error)))
        })?;
        // Whoever it was given to may use it, and nobody else (OpenID Connect Core 1.0, 3.1.3.7, 5.).
        let party = claims.authorized_party();
        if party.is_some_and(|party| party.as_str() != rules.client_id) {
            return Err(refused(
                "the ID token is not good: it was given to another client",
            ));
        }
        match serde_json::to_value(claims) {
            Ok(Value::Object(claims)) => Ok(claims),
            _ => Err(self.unusable("gave an ID token that cannot be read")),
        }
    }

    /// What the provider says of itself; asked for if that is not known, or was long ago.
    async fn said(self: &Arc<Self>) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let known = Arc::clone(&self.known).lock_owned().await;
        let age = known.age(&*self.clock);
        match (&known.said, known.failed) {
            (Some(said), false) if age.is_some_and(|age| age < KEPT) => Ok(Arc::clone(said)),
            (_, true) if age.is_some_and(|age| age < LEFT_ALONE) => Err(ProviderError::Away),
            _ => self.ask(known).await,
        }
    }

    /// What it says of itself since `seen`; none if it was asked just now, and that is what it said.
    async fn newer_than(
        self: &Arc<Self>,
        seen: &Arc<CoreProviderMetadata>,
    ) -> Result<Option<Arc<CoreProviderMetadata>>, ProviderError> {
        let known = Arc::clone(&self.known).lock_owned().await;
        match &known.said {
            Some(said) if !Arc::ptr_eq(said, seen) => Ok(Some(Arc::clone(said))),
            _ if known.age(&*self.clock).is_some_and(|age| age < KEYS_AGAIN) => Ok(None),
            _ => self.ask(known).await.map(Some),
        }
    }

    /// Asks, and learns what comes of it also if whoever waits for it goes away meanwhile.
    async fn ask(
        self: &Arc<Self>,
        known: OwnedMutexGuard<Known>,
    ) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let provider = Arc::clone(self);
        let asking = tokio::spawn(async move {
            let mut known = known;
            provider.learn(&mut known).await
        });
        asking.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the identity provider was not asked to the end");
            Err(self.unusable("was not asked to the end"))
        })
    }

    async fn learn(&self, known: &mut Known) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        known.asked_at = Some(self.clock.elapsed());
        let issuer = IssuerUrl::new(self.issuer.clone());
        let issuer = issuer.map_err(|_| self.unusable("has no address that could be asked"))?;
        let asked = CoreProviderMetadata::discover_async(issuer, &self.fetcher).await;
        let asked = asked.map_err(|error| self.not_discovered(&error));
        match asked.and_then(|said| self.checked(said)) {
            Ok(said) => {
                let said = Arc::new(said);
                known.said = Some(Arc::clone(&said));
                known.failed = false;
                Ok(said)
            }
            Err(why) => {
                known.failed = true;
                Err(of_no_use(&self.issuer, &why))
            }
        }
    }

    /// What it says of itself, if browsers may be sent where it says.
    fn checked(&self, said: CoreProviderMetadata) -> Result<CoreProviderMetadata, String> {
        let url = said.authorization_endpoint().url();
        let host = url.host_str().unwrap_or_default();
        let checked = self.fetcher.check_scheme(Some(url.scheme()), host);
        checked.map_err(|error| error.to_string())?;
        Ok(said)
    }

    fn unusable(&self, what: &str) -> ProviderError {
        of_no_use(&self.issuer, what)
    }

    fn not_discovered(&self, error: &DiscoveryError<FetchError>) -> String {
        let issuer = &self.issuer;
        match error {
            DiscoveryError::Request(error) => error.to_string(),
            DiscoveryError::Response(status, ..) => {
                format!("`{issuer}` answered {status} where it should say of itself")
            }
            DiscoveryError::Validation(_) => {
                format!("what stands at `{issuer}` is another issuer's discovery document")
            }
            _ => format!("what `{issuer}` says of itself cannot be read"),
        }
    }

    fn not_exchanged(
        &self,
        error: RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>,
    ) -> ProviderError {
        match error {
            RequestTokenError::Request(error) => of_no_use(&self.issuer, &error.to_string()),
            RequestTokenError::ServerResponse(answer) => {
                let code = shown(answer.error().as_ref());
                tracing::warn!(code, issuer = self.issuer, "a code was not taken");
                refused(format!(
                    "the identity provider did not take the code: `{code}`"
                ))
            }
            // A token that cannot be read comes to this too; what it holds is told nobody.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                refused("what the identity provider gave for the code cannot be read")
            }
        }
    }
}

impl Known {
    fn age(&self, clock: &dyn Clock) -> Option<Duration> {
        self.asked_at.map(|at| clock.elapsed().saturating_sub(at))
    }
}

fn client(rules: &IdentityProvider, said: &CoreProviderMetadata) -> Result<Asking, ProviderError> {
    let secret = rules.client_secret.as_ref();
    let secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
    let redirect = RedirectUrl::new(rules.redirect_url());
    let redirect = redirect.map_err(|_| of_no_use(&rules.issuer, "`oidc.base_url` is no URL"))?;
    let id = ClientId::new(rules.client_id.clone());
    let client = Asking::from_provider_metadata(said.clone(), id, secret);
    let methods = said.token_endpoint_auth_methods_supported();
    let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
    // HTTP Basic is what holds where the provider does not say (OpenID Connect Discovery 1.0, 3).
    let in_body = !takes(CoreClientAuthMethod::ClientSecretBasic)
        && takes(CoreClientAuthMethod::ClientSecretPost);
    let auth = if in_body {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    };
    Ok(client.set_redirect_uri(redirect).set_auth_type(auth))
}

fn verifier(
    rules: &IdentityProvider,
    said: &CoreProviderMetadata,
    now: Timestamp,
) -> Result<IdTokenVerifier<'static, CoreJsonWebKey>, ProviderError> {
    let issuer = IssuerUrl::new(rules.issuer.clone());
    let issuer = issuer.map_err(|_| of_no_use(&rules.issuer, "`oidc.issuer` is no URL"))?;
    let id = ClientId::new(rules.client_id.clone());
    let micros = |at: Timestamp| u64::try_from(at.as_micros()).unwrap_or_default();
    let behind = UNIX_EPOCH + Duration::from_micros(micros(now.minus(SKEW)));
    let latest = i64::try_from(micros(now.plus(SKEW)) / 1_000_000).unwrap_or(i64::MAX);
    // As for a client without a secret: nothing that is signed with a secret that others share is good.
    let verifier = IdTokenVerifier::new_public_client(id, issuer, said.jwks().clone())
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || behind.into())
        .set_issue_time_verifier_fn(move |issued_at| {
            let is_fine = issued_at.timestamp() <= latest;
            is_fine
                .then_some(())
                .ok_or_else(|| "it was issued in the future".to_owned())
        });
    Ok(verifier)
}

/// What is wrong with a token, without anything of what it holds.
fn in_words(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "it is over, or not good yet",
        ClaimsVerificationError::InvalidAudience(_) => "it was meant for another client",
        ClaimsVerificationError::InvalidIssuer(_) => "another issuer gave it",
        ClaimsVerificationError::InvalidNonce(_) => "it was given for another sign-in",
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey,
        ) => "it is signed with a key that the identity provider does not name",
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoSignature | SignatureVerificationError::DisallowedAlg(_),
        ) => "it is not signed in a way that only the identity provider can",
        ClaimsVerificationError::SignatureVerification(_) => "its signature is not good",
        _ => "it is none that can be used here",
    }
}
