//! [`CacheRequest`]: a request as the caller wrote it, and its key in the pipeline's format.

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::format::http_key::{FormValue, RequestPayload, pipeline_key};
use crate::http::error::FetchError;
use crate::model::key::CacheKey;

/// A request as the caller wrote it.
#[derive(Clone, Debug)]
pub(crate) struct CacheRequest {
    pub(crate) method: Method,
    /// Without `params`.
    pub(crate) url: String,
    pub(crate) params: Option<FormValue>,
    pub(crate) fields: HeaderMap,
    pub(crate) body: RequestBody,
    /// [`crate::Overrides`], and what is handed on to the transport.
    pub(crate) extensions: Extensions,
    pub(crate) body_validator: Option<BodyValidator>,
}

/// Decides by the whole decoded body whether a response may be stored and served.
pub(crate) type BodyValidator = fn(&[u8]) -> bool;

/// The body of a request.
#[derive(Clone, Debug)]
pub(crate) enum RequestBody {
    Empty,
    Raw(Bytes),
    Json(Value),
    Form(FormValue),
}

impl RequestBody {
    /// The bytes. Serialized only when needed, since hits need them only for the key.
    pub(crate) fn bytes(&self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Raw(bytes) => bytes.clone(),
            Self::Json(value) => value.to_string().into(),
            Self::Form(FormValue::Bytes(bytes)) => Bytes::copy_from_slice(bytes),
            Self::Form(FormValue::Text(text)) => text.clone().into(),
            Self::Form(form) => {
                form_urlencoded::Serializer::new(String::new()).extend_pairs(form.to_pairs()).finish().into()
            }
        }
    }

    pub(crate) fn content_type(&self) -> Option<HeaderValue> {
        let name = match self {
            Self::Empty | Self::Raw(_) => return None,
            Self::Json(_) => "application/json",
            Self::Form(FormValue::Bytes(_)) => "application/octet-stream",
            Self::Form(FormValue::Text(_)) => "text/plain; charset=utf-8",
            Self::Form(_) => "application/x-www-form-urlencoded",
        };
        Some(HeaderValue::from_static(name))
    }
}

impl CacheRequest {
    /// The URL with `params`.
    pub(crate) fn target(&self) -> Result<Url, FetchError> {
        let mut url = Url::parse(&self.url).map_err(FetchError::request)?;
        url.set_fragment(None);
        match &self.params {
            None => {}
            Some(FormValue::Text(query)) => {
                let query = url.query().map_or_else(|| query.clone(), |before| format!("{before}&{query}"));
                url.set_query(Some(&query));
            }
            Some(form) => {
                url.query_pairs_mut().extend_pairs(form.to_pairs());
            }
        }
        Ok(url)
    }

    /// The pipeline's key.
    pub(crate) fn pipeline_key(&self) -> CacheKey {
        let raw;
        let (json, data) = match &self.body {
            RequestBody::Empty => (None, None),
            RequestBody::Json(value) => (Some(value), None),
            RequestBody::Form(form) => (None, Some(form)),
            RequestBody::Raw(bytes) => {
                raw = FormValue::Bytes(bytes.to_vec());
                (None, Some(&raw).filter(|_| !bytes.is_empty()))
            }
        };
        pipeline_key(self.method.as_str(), &self.url, &RequestPayload { json, params: self.params.as_ref(), data })
    }

    /// The pipeline's key of a GET of the same URL.
    pub(crate) fn pipeline_key_of_get(&self) -> CacheKey {
        pipeline_key("GET", &self.url, &RequestPayload { params: self.params.as_ref(), ..RequestPayload::default() })
    }

    /// Whether the pipeline's key identifies this request: the pipeline uses no other methods.
    pub(crate) fn has_pipeline_key(&self) -> bool {
        matches!(self.method, Method::GET | Method::POST)
    }
}
