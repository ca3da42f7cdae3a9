//! The table of recognisers: how a value looks, what else must hold of it, how sure that is, and which
//! words beside it say what it is.
//!
//! Sources are the issuers' own descriptions of their numbers; the checks are in [`super::numbers`].
//! Patterns know ASCII only.

use std::ops::Range;

use super::numbers as by;

/// One kind of personal data.
pub(super) struct Recogniser {
    /// Its name in the family `pii`.
    pub(super) name: &'static str,
    pub(super) pattern: &'static str,
    /// Where the value stands, given where the pattern matched; none if it is no such value.
    pub(super) judge: fn(&[u8], Range<usize>) -> Option<Range<usize>>,
    /// How sure a match is with nothing known beside it.
    pub(super) score: f64,
    /// Words beside it that say what it is, in lower case.
    pub(super) context: &'static [&'static str],
}

macro_rules! recognisers {
    ($($name:literal, $pattern:literal, $judge:path, $score:literal, [$($word:literal),*];)*) => {
        &[$(Recogniser {
            name: $name,
            pattern: $pattern,
            judge: $judge,
            score: $score,
            context: &[$($word),*],
        }),*]
    };
}

/// All of them, in alphabetical order.
pub(super) const RECOGNISERS: &[Recogniser] = recognisers! {
    "aba-routing", r"\b[0123678]\d{8}\b|\b[0123678]\d{3}-\d{4}-\d\b", by::aba_routing, 0.2, ["aba", "routing", "bank"];
    "au-abn", r"\b\d{2} \d{3} \d{3} \d{3}\b|\b\d{11}\b", by::au_abn, 0.2, ["abn", "business number"];
    "au-acn", r"\b\d{3} \d{3} \d{3}\b|\b\d{9}\b", by::au_acn, 0.1, ["acn", "company number"];
    "au-medicare", r"\b[2-6]\d{3} \d{5} \d\b|\b[2-6]\d{9}\b", by::au_medicare, 0.2, ["medicare"];
    "au-tfn", r"\b\d{3} \d{3} \d{3}\b|\b\d{9}\b", by::au_tfn, 0.1, ["tfn", "tax file"];
    "ca-sin", r"\b[1-79]\d{2}[ -]?\d{3}[ -]?\d{3}\b", by::ca_sin, 0.2, ["sin", "social insurance"];
    "certificate-number", r"\b[ABCDEFGHJKLMPRSTUXabcdefghjklmprstux][A-Za-z9]\d{7}\b", by::dea, 0.4, ["dea", "medical", "certificate"];
    "credit-card", r"\b[1-6]\d{3}[ -]?\d{3,4}[ -]?\d{3,4}[ -]?\d{2,7}\b", by::credit_card, 0.7, ["card", "visa", "mastercard", "amex", "credit", "debit", "karte", "tarjeta", "carte"];
    "crypto", r"\b(?:bc1[a-z0-9]{25,87}|BC1[A-Z0-9]{25,87}|[13][1-9A-HJ-NP-Za-km-z]{25,34})\b", by::crypto, 0.8, ["bitcoin", "btc", "wallet"];
    "date", r"(?i)\b(?:\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})?|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})|\d{1,2}-(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}(?:-(?:\d{4}|\d{2}))?|\d{1,2}/(?:\d{4}|\d{2}))\b", by::date, 0.1, ["born", "birth", "birthday", "dob", "geboren"];
    "de-fuehrerschein", r"\b[A-Z]{2}\d{8}[A-Z0-9]\b", by::any, 0.3, ["fahrerlaubnis", "führerschein", "fuehrerschein", "driving", "licence", "license"];
    "de-handelsregister", r"\bHR[AB] ?\d{1,6}\b", by::any, 0.6, ["handelsregister", "amtsgericht"];
    "de-health-insurance", r"\b[A-Z]\d{9}\b", by::de_health_insurance, 0.4, ["egk", "krankenversicherung", "versichertennummer", "kvnr"];
    "de-kfz", r"(?i)\b[a-z]{1,3}[ -][a-z]{1,2}[ -]?\d{1,4}[eh]?\b", by::any, 0.1, ["kennzeichen", "fahrzeug", "kfz"];
    "de-lanr", r"\b\d{9}\b", by::de_lanr, 0.1, ["lanr", "arztnummer"];
    "de-passport", r"(?i)\b[cfghjklmnprtvwxyz][cfghjklmnprtvwxyz0-9]{7}\d\b", by::icao_document, 0.3, ["pass", "pass-nr", "reisepass", "passport"];
    "de-plz", r"\b(?:0[1-9]\d{3}|[1-9]\d{4})\b", by::de_plz, 0.1, ["plz", "postleitzahl"];
    "de-social-security", r"\b\d{8}[A-Z]\d{3}\b", by::de_social_security, 0.5, ["rvnr", "rentenversicherung", "sozialversicherung", "sozialversicherungsausweis"];
    "de-tax-id", r"\b[1-9]\d{10}\b", by::mod_11_10, 0.2, ["steuer-id", "steueridentifikationsnummer", "idnr", "tax"];
    "de-tax-number", r"\b\d{2,3}/\d{3,4}/\d{4,5}\b|\b(?:1[01]|2[1-8]|3[0-2]|4[01]|5\d|9\d)\d{2}0\d{8}\b", by::any, 0.2, ["steuernummer", "st.-nr", "finanzamt"];
    "de-vat-id", r"(?i)\bde[ .-]?\d{3}[ .-]?\d{3}[ .-]?\d{3}\b", by::mod_11_10, 0.6, ["ust-idnr", "umsatzsteuer", "vat"];
    "email", r"[A-Za-z0-9._%+'-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?:xn--[A-Za-z0-9-]{2,59}|[A-Za-z]{2,24})\b", by::any, 0.9, ["mail", "email", "e-mail"];
    "es-nie", r"(?i)\b[xyz]\d{7}-?[a-z]\b", by::es_nif, 0.6, ["nie", "extranjero"];
    "es-nif", r"(?i)\b\d{7,8}-?[a-z]\b", by::es_nif, 0.5, ["nif", "dni", "identidad"];
    "es-passport", r"(?i)\b[a-z]{3}\d{6}\b", by::any, 0.1, ["pasaporte", "passport"];
    "fi-personal-identity-code", r"(?i)\d{6}[-+a-fyxwvu]\d{3}[0-9a-y]\b", by::fi_identity_code, 0.6, ["hetu", "henkilötunnus", "identity", "id"];
    "iban", r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", by::iban, 0.9, ["iban", "account", "konto", "bank"];
    "in-aadhaar", r"\b[2-9]\d{3}[ :-]?\d{4}[ :-]?\d{4}\b", by::in_aadhaar, 0.3, ["aadhaar", "uidai"];
    "in-gstin", r"\b\d{2}[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]\b", by::in_gstin, 0.7, ["gst", "gstin"];
    "in-pan", r"\b[A-Za-z0-9]{10}\b", by::in_pan, 0.1, ["pan", "permanent account"];
    "in-passport", r"(?i)\b[a-z][1-9]\d ?\d{4}[1-9]\b", by::any, 0.1, ["passport", "travel document"];
    "in-vehicle-registration", r"\b[A-Z]{2}\d{1,2}[A-Z]{1,3}\d{4}\b|\bI\d{5}\b|\b\d{1,3}(?:CD|CC|UN)[1-9]\d{1,3}\b", by::any, 0.2, ["vehicle", "registration", "rto", "plate"];
    "in-voter", r"(?i)\b[a-z]{3}\d{7}\b", by::any, 0.2, ["voter", "epic", "elector"];
    "ip", r"[0-9A-Fa-f:]*[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,7}(?:\.\d{1,3}){0,4}[0-9A-Fa-f:.]*|\d{1,3}(?:\.\d{1,3}){3}[0-9.]*", by::ip, 0.6, ["ip", "ipv4", "ipv6", "address", "host"];
    "it-driver-license", r"(?i)\b(?:[a-z]{2}\d{7}[a-z]|u1[bcdfghjklmnprstuwxyz0-9]{7}[a-z])\b", by::any, 0.3, ["patente", "driving", "licence", "license"];
    "it-fiscal-code", r"(?i)\b[a-z]{6}[0-9lmnp-v]{2}[a-ehlmprst][0-9lmnp-v]{2}[a-z][0-9lmnp-v]{3}[a-z]\b", by::it_fiscal_code, 0.9, ["fiscale", "codice"];
    "it-identity-card", r"(?i)\b(?:[a-z]{2} ?\d{7}|\d{7}[a-z]{2}|[a-z]{2}\d{5}[a-z]{2})\b", by::any, 0.1, ["identità", "carta", "identity"];
    "it-passport", r"(?i)\b[a-z]{2}\d{7}\b", by::any, 0.1, ["passaporto", "passport"];
    "it-vat-code", r"\b(?:\d[ _]?){10}\d\b", by::luhn_number, 0.2, ["iva", "partita", "vat"];
    "kr-brn", r"\b\d{3}-\d{2}-\d{5}\b|\b\d{10}\b", by::kr_brn, 0.2, ["brn", "business", "사업자"];
    "kr-driver-license", r"\b\d{2}-\d{2}-\d{6}-\d{2}\b|\b\d{12}\b", by::kr_driver_license, 0.2, ["license", "licence", "운전면허"];
    "kr-frn", r"\b\d{6}-?[5-8]\d{6}\b", by::birth_first, 0.4, ["frn", "foreigner", "외국인"];
    "kr-passport", r"(?i)\b[msrod](?:\d{3}[a-z]\d{4}|\d{8})\b", by::any, 0.2, ["passport", "여권"];
    "kr-rrn", r"\b\d{6}-?[1-4]\d{6}\b", by::birth_first, 0.4, ["rrn", "resident", "주민등록"];
    "mac", r"\b(?:(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})\b", by::mac, 0.6, ["mac", "hardware", "ethernet"];
    "ng-vehicle-registration", r"\b[A-Z]{3}-\d{3}[A-Z]{2}\b", by::any, 0.3, ["plate", "plates", "vehicle", "registration"];
    "ph-mobile-number", r"\+63-?9\d{2}-?\d{3}-?\d{4}\b|\b09\d{2}-?\d{3}-?\d{4}\b", by::any, 0.4, ["mobile", "phone", "cell", "call"];
    "phone", r"\+\d[\d ().-]{6,20}\d|\(\d{3}\) ?\d{3}[-. ]\d{4}|\b(?:\d{1,3}[-. ])?\d{3}[-. ]\d{3}[-. ]\d{4}\b|\b0\d{1,3}[-. ]\d{3,4}[-. ]\d{3,4}\b", by::phone, 0.5, ["phone", "call", "tel", "telephone", "mobile", "cell", "fax", "number"];
    "pl-pesel", r"\b\d{11}\b", by::pl_pesel, 0.2, ["pesel"];
    "se-organisationsnummer", r"\b\d{6}-?\d{4}\b", by::se_organisation, 0.2, ["orgnummer", "organisationsnummer", "org.nr", "company"];
    "se-personnummer", r"(?:18|19|20)?\d{6}[-+]?\d{4}\b", by::se_person, 0.3, ["personnummer", "samordningsnummer", "swedish"];
    "sg-uen", r"\b(?:\d{8,9}[A-Z]|[TSR]\d{2}[A-Z]{2}\d{4}[A-Z])\b", by::sg_uen, 0.4, ["uen", "entity"];
    "th-tnin", r"\b[1-8]\d{12}\b", by::th_tnin, 0.3, ["เลขบัตรประชาชน", "เลขประจำตัว", "thai"];
    "tr-license-plate", r"\b(?:0[1-9]|[1-7]\d|8[01]) ?[A-Z]{1,3} ?\d{2,5}\b", by::any, 0.2, ["plaka", "plakası", "plate"];
    "tr-national-id", r"\b[1-9]\d{10}\b", by::tr_national_id, 0.3, ["kimlik", "tckn", "turkish"];
    "tr-phone-number", r"(?:\+90[ .-]?|\b0[ .-]?)\(?[2-5]\d{2}\)?[ .-]?\d{3}[ .-]?\d{2}[ .-]?\d{2}\b|\b[2-5]\d{2}[ .-]?\d{3}[ .-]?\d{2}[ .-]?\d{2}\b", by::any, 0.2, ["cep", "telefon", "gsm"];
    "uk-driving-licence", r"(?i)\b[a-z9]{5}\d[0156]\d[0-3]\d\d[a-z9]{2}[a-z0-9][a-z]{2}\b", by::any, 0.6, ["driving", "licence", "dvla"];
    "uk-nhs", r"\b\d{3}[ -]?\d{3}[ -]?\d{4}\b", by::uk_nhs, 0.3, ["nhs", "health service"];
    "uk-nino", r"(?i)\b[a-ceghj-pr-tw-z][a-ceghj-npr-tw-z] ?\d{2} ?\d{2} ?\d{2} ?[a-d]\b", by::uk_nino, 0.6, ["nino", "national insurance"];
    "uk-passport", r"\b[A-Z]{2}\d{7}\b", by::any, 0.1, ["passport", "passports"];
    "uk-postcode", r"(?i)\b(?:gir ?0aa|(?:[a-pr-uwyz]\d{1,2}|[a-pr-uwyz][a-hk-y]\d{1,2}|[a-pr-uwyz]\d[a-hjkpstuw]|[a-pr-uwyz][a-hk-y]\d[abehmnprvwxy]) ?\d[abd-hjlnp-uw-z]{2})\b", by::any, 0.3, ["postcode", "address", "post code"];
    "uk-vehicle-registration", r"(?i)\b(?:[a-hj-pr-y][a-hj-pr-y](?:0[2-9]|[12]\d|5[1-9]|[67]\d)[ -]?[a-hj-pr-z]{3}|[a-hj-npr-tv-y]\d{1,3}[ -]?[a-z]{3}|[a-z]{3}[ -]?\d{1,3}[a-hj-npr-tv-y])\b", by::any, 0.1, ["registration", "vehicle", "plate", "car"];
    "us-bank-number", r"\b\d{8,17}\b", by::any, 0.05, ["account", "bank", "checking", "savings"];
    "us-driver-license", r"\b[A-Z]{1,2}\d{4,9}\b", by::any, 0.05, ["driver", "driver's", "license", "licence"];
    "us-itin", r"\b9\d{2}[ -]?(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])[ -]?\d{4}\b", by::any, 0.3, ["itin", "taxpayer", "tax id"];
    "us-mbi", r"(?i)\b[1-9][ac-hjkmnp-rt-y][ac-hjkmnp-rt-y0-9]\d-?[ac-hjkmnp-rt-y][ac-hjkmnp-rt-y0-9]\d-?[ac-hjkmnp-rt-y]{2}\d{2}\b", by::any, 0.6, ["medicare", "mbi", "beneficiary"];
    "us-npi", r"\b[12]\d{9}\b", by::us_npi, 0.3, ["npi", "provider"];
    "us-passport", r"\b(?:\d{9}|[A-Z]\d{8})\b", by::any, 0.05, ["passport", "travel document"];
    "us-ssn", r"\b\d{3}[ .-]?\d{2}[ .-]?\d{4}\b", by::us_ssn, 0.3, ["ssn", "social security", "ssns"];
    "us-ssn-hyphenated", r"\b\d{3}-\d{2}-\d{4}\b", by::us_ssn, 0.6, ["ssn", "social security"];
    "za-id-number", r"\b\d{13}\b", by::za_id, 0.4, ["south african", "rsa", "id", "resident"];
};
