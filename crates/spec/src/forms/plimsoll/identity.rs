//! What `plimsoll.toml` says of the identity provider through which people sign in.

use super::super::Absent::{Default, Means, Required};
use super::super::roles::ROLES;
use super::super::{Form, TableForm, field};
use super::table;

pub(super) static OIDC: TableForm = table(
    "The OpenID Connect provider through which people sign in to the control plane. Local passwords go on working beside it.",
    &[
        field(
            "issuer",
            Form::Url { relative: false },
            Required(
                "give the provider's issuer, as in issuer = \"https://login.example.com/realms/ops\"",
            ),
            "The provider's issuer identifier, exactly as its discovery document has it: https, unless it is an address of this machine or of a private network.",
        ),
        field(
            "client_id",
            Form::Text,
            Required("give the id under which the provider knows this installation"),
            "The id under which the provider knows this installation.",
        ),
        field(
            "client_secret",
            Form::Secret,
            Means("a public client: PKCE alone vouches for it"),
            "Where the secret is that this installation shows to the provider.",
        ),
        field(
            "base_url",
            Form::Url { relative: false },
            Means("`http://` and `server.control_address`"),
            "Where browsers reach the control plane. The provider sends people back to `/api/v1/session/oidc/callback` below it: register that there.",
        ),
        field(
            "scopes",
            Form::List(&Form::Text),
            Default("[\"profile\", \"email\"]"),
            "What is asked for beside `openid`: also what the provider needs to put groups into the ID token.",
        ),
        field(
            "groups_claim",
            Form::Text,
            Default("\"groups\""),
            "The claim of the ID token that holds the groups: a list of texts, or one text.",
        ),
        field(
            "name_claim",
            Form::Text,
            Default("\"sub\""),
            "The claim that records call people by, behind `oidc:`. It must be one that is one person's for ever and that nobody changes themselves; an `email` counts only with `email_verified`.",
        ),
        field(
            "display_claim",
            Form::Text,
            Default("\"email\""),
            "The claim that says what people call them: it stands beside the name in the record of each sign-in.",
        ),
        field(
            "groups",
            Form::Map("group", &Form::Table(&GROUP)),
            Required(
                "say what the members of a group may do, as in [oidc.groups.\"platform team\"]",
            ),
            "What the members of each group may do, by the group as the claim has it. Whoever is in none of these is let in nowhere.",
        ),
    ],
);

static GROUP: TableForm = table(
    "What the members of a group of the identity provider may do.",
    &[
        field(
            "roles",
            Form::List(&Form::Choice(ROLES)),
            Required("say what they may do, as in roles = [\"operator\"]"),
            "What they may do beside reading what holds no payload.",
        ),
        field(
            "tenants",
            Form::List(&Form::Name),
            Means("the whole installation"),
            "The tenants that they work for, one at a time: whoever may work for several says which at sign-in, as in `?tenant=acme`.",
        ),
    ],
);
