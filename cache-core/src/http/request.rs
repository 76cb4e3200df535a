//! TODO

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use sha2::Digest as _;
use url::{Url, form_urlencoded};

use crate::format::http_key::{Form, Payload};
use crate::format::http_key;
use crate::http::error::FetchError;
use crate::http::header_map;
use crate::model::key::CacheKey;

/// A request as its caller wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Without the parameters given separately.
    pub(crate) url: String,
    pub(crate) params: Option<Form>,
    pub(crate) fields: HeaderMap,
    pub(crate) body: RequestBody,
    pub(crate) timeout: Option<Duration>,
    pub(crate) judge: Option<Judge>,
}

/// Says of a whole body, without its content coding, whether it may be stored and answer.
pub(crate) type Judge = fn(&[u8]) -> bool;

/// What a request sends.
#[derive(Clone, Debug)]
pub(crate) enum RequestBody {
    Empty,
    Raw(Bytes),
    Json(Value),
    Form(Form),
}

impl RequestBody {
    /// The bytes, written only when they are needed: most requests are answered without them.
    pub(crate) fn bytes(&self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Raw(bytes) => bytes.clone(),
            Self::Json(value) => value.to_string().into(),
            Self::Form(Form::Bytes(bytes)) => Bytes::copy_from_slice(bytes),
            Self::Form(Form::Text(text)) => text.clone().into(),
            Self::Form(form) => {
                form_urlencoded::Serializer::new(String::new()).extend_pairs(form.to_pairs()).finish().into()
            }
        }
    }

    pub(crate) fn content_type(&self) -> Option<HeaderValue> {
        let name = match self {
            Self::Empty | Self::Raw(_) => return None,
            Self::Json(_) => "application/json",
            Self::Form(Form::Bytes(_)) => "application/octet-stream",
            Self::Form(Form::Text(_)) => "text/plain; charset=utf-8",
            Self::Form(_) => "application/x-www-form-urlencoded",
        };
        Some(HeaderValue::from_static(name))
    }
}

impl Asked {
    /// The URL with the parameters given separately.
    pub(crate) fn target(&self) -> Result<Url, FetchError> {
        let mut url = Url::parse(&self.url).map_err(FetchError::request)?;
        url.set_fragment(None);
        match &self.params {
            None => {}
            Some(Form::Text(query)) => {
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
                raw = Form::Bytes(bytes.to_vec());
                (None, Some(&raw).filter(|_| !bytes.is_empty()))
            }
        };
        http_key::pipeline_key(self.method.as_str(), &self.url, &Payload { json, params: self.params.as_ref(), data })
    }

    /// Whether the pipeline's key tells this request from others: it knows of no method but these two.
    pub(crate) fn has_pipeline_key(&self) -> bool {
        matches!(self.method, Method::GET | Method::POST)
    }
}
