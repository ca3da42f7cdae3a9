//! A small identity provider that says what it is told to, true or not, on a real socket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A key with which tokens are signed.
pub(super) struct Key {
    pub(super) kid: &'static str,
    key: SigningKey,
}

impl Key {
    pub(super) fn new(kid: &'static str, seed: u8) -> Self {
        Self {
            kid,
            key: SigningKey::from_bytes(&[seed; 32]),
        }
    }

    pub(super) fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.public());
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.kid, "x": x})
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid});
        signed(&header, claims, |text| {
            self.key.sign(text.as_bytes()).to_bytes().to_vec()
        })
    }
}

/// A token with this header, signed like that.
pub(super) fn signed(header: &Value, claims: &Value, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(&text));
    format!("{text}.{signature}")
}

/// A token that is "signed" with a secret that everybody knows.
pub(super) fn signed_with_secret(kid: &str, secret: &[u8], claims: &Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": kid});
    signed(&header, claims, |text| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    })
}

/// What it answers, and what it was asked.
#[derive(Default)]
pub(super) struct Script {
    pub(super) issuer: String,
    /// What stands in its discovery document beside what always does.
    pub(super) said: Value,
    pub(super) keys: Vec<Value>,
    /// The token that it gives for a code, and the challenge of whoever may have it.
    pub(super) token: Option<(String, String)>,
    /// What it answers whatever it is asked.
    pub(super) broken: Option<(StatusCode, String)>,
    pub(super) asked: Vec<String>,
    /// How long it thinks before it says something of itself.
    pub(super) slow: Duration,
}

/// The provider.
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) script: Arc<Mutex<Script>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Provider {
    pub(super) async fn start(keys: &[&Key]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script {
            issuer: issuer.clone(),
            keys: keys.iter().map(|key| key.jwk()).collect(),
            ..Script::default()
        }));
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(Arc::clone(&script));
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            issuer,
            script,
            serving,
        }
    }

    /// From now on nobody answers.
    pub(super) fn stop(&self) {
        self.serving.abort();
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub(super) fn name_keys(&self, keys: &[&Key]) {
        self.set(|script| script.keys = keys.iter().map(|key| key.jwk()).collect());
    }

    /// How often this was asked.
    pub(super) fn asked(&self, what: &str) -> usize {
        let script = self.script.lock().unwrap();
        script.asked.iter().filter(|asked| *asked == what).count()
    }
}

type Scripted = State<Arc<Mutex<Script>>>;

fn answer(script: &Scripted, what: &str, answer: impl FnOnce(&Script) -> Response) -> Response {
    let mut script = script.lock().unwrap();
    script.asked.push(what.to_owned());
    match &script.broken {
        Some((status, body)) => {
            let headers = [
                ("location", "http://127.0.0.1:1/"),
                ("content-type", "application/json"),
            ];
            (*status, headers, body.clone()).into_response()
        }
        None => answer(&script),
    }
}

async fn discovery(script: Scripted) -> Response {
    let slow = script.lock().unwrap().slow;
    tokio::time::sleep(slow).await;
    answer(&script, "discovery", |script| {
        let issuer = &script.issuer;
        let mut said = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
        });
        for (name, value) in script.said.as_object().into_iter().flatten() {
            said[name] = value.clone();
        }
        Json(said).into_response()
    })
}

async fn jwks(script: Scripted) -> Response {
    answer(&script, "jwks", |script| {
        Json(json!({"keys": script.keys})).into_response()
    })
}

/// Gives the token to whoever shows the verifier of the challenge.
async fn token(script: Scripted, body: String) -> Response {
    answer(&script, "token", |script| {
        let verifier = body
            .split('&')
            .find_map(|pair| pair.strip_prefix("code_verifier="));
        let digest = Sha256::digest(verifier.unwrap_or_default());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        match &script.token {
            Some((token, of)) if *of == challenge => Json(json!({
                "access_token": "opaque", "token_type": "Bearer", "id_token": token,
            }))
            .into_response(),
            _ => {
                let refused = Json(json!({"error": "invalid_grant"}));
                (StatusCode::BAD_REQUEST, refused).into_response()
            }
        }
    })
}
