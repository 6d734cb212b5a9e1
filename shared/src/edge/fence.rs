//! The fence: a deadline after which no request leaves the process.
//!
//! A time-out alone is not enough. The runtime looks at a time-out when it gets to it, and a
//! process that was stopped first goes on with what it had begun. Erasures rely on the fence (see
//! `erasure/sweep.rs`): whatever intake began before a mark writes nothing once its time is up.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use tokio::time::Instant;

use super::clock::Stopwatch;
use crate::guarded_body::guarded;

tokio::task_local! {
    /// Until when the requests of the work at hand may leave.
    static UNTIL: Instant;
}

/// The time was up before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time for this is up")]
pub struct TimeUp;

/// Works until a stopwatch shows `limit`. Then this gives the work up, and requests of [`fenced`]
/// clients do not leave any more.
pub async fn within<T>(
    stopwatch: &Stopwatch,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, TimeUp> {
    let until = stopwatch.at(limit);
    let work = UNTIL.scope(until, work);
    tokio::time::timeout_at(until, work).await.map_err(|_| TimeUp)
}

/// Fenced clients: their requests leave only within the time of the work that makes them.
#[must_use]
pub fn fenced(sdk: &SdkConfig) -> SdkConfig {
    let Some(http) = sdk.http_client() else { return sdk.clone() };
    sdk.to_builder().http_client(fence(http)).build()
}

fn fence(inner: SharedHttpClient) -> SharedHttpClient {
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(Fenced(inner.http_connector(settings, components)))
    })
}

#[derive(Debug)]
struct Fenced(SharedHttpConnector);

impl HttpConnector for Fenced {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Ok(until) = UNTIL.try_with(|until| *until) else { return self.0.call(request) };
        if is_over(until) {
            return HttpConnectorFuture::ready(Err(ConnectorError::timeout(TimeUp.into())));
        }
        // Connecting takes time, and so does waiting for a connection. What counts is when the body
        // goes out.
        let is_in_time = move || if is_over(until) { Err(TimeUp.into()) } else { Ok(()) };
        self.0.call(request.map(|body| guarded(body, is_in_time)))
    }
}

fn is_over(until: Instant) -> bool {
    Instant::now() >= until
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;
    use http_body::Body as _;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A service that counts the bodies that it has received whole.
    #[derive(Debug, Clone, Default)]
    struct Counting(Arc<AtomicUsize>);

    impl HttpConnector for Counting {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let whole = Arc::clone(&self.0);
            HttpConnectorFuture::new(async move {
                // Pretends that connecting takes this long.
                tokio::time::sleep(SECOND * 2).await;
                let mut body = request.into_body();
                let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
                frame.transpose().map_err(|error| ConnectorError::io(error.to_string().into()))?;
                whole.fetch_add(1, Ordering::SeqCst);
                Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::empty()))
            })
        }
    }

    fn request() -> HttpRequest {
        HttpRequest::new(SdkBody::from("x"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_leaves_in_time_or_not_at_all() {
        let service = Counting::default();
        let fenced = Fenced(SharedHttpConnector::new(service.clone()));
        let sent = || service.0.load(Ordering::SeqCst);
        let stopwatch = Stopwatch::start();
        let call = async || fenced.call(request()).await.is_ok();
        assert_eq!(within(&stopwatch, SECOND * 3, call()).await, Ok(true));
        assert_eq!(sent(), 1);
        // Connecting takes two seconds, and then one second is left.
        let call = UNTIL.scope(stopwatch.at(SECOND * 3), call());
        assert!(!call.await, "the body is not sent, though nobody gave the request up");
        let call = UNTIL.scope(stopwatch.at(SECOND * 3), async {
            assert!(fenced.call(request()).await.unwrap_err().is_timeout());
        });
        call.await;
        assert_eq!(sent(), 1);
        assert_eq!(
            within(&stopwatch, SECOND * 9, tokio::time::sleep(SECOND * 9)).await,
            Err(TimeUp)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn work_without_a_deadline_sends_when_it_wants() {
        let service = Counting::default();
        let fenced = Fenced(SharedHttpConnector::new(service.clone()));
        tokio::time::sleep(SECOND * 100).await;
        assert!(fenced.call(request()).await.is_ok());
        assert_eq!(service.0.load(Ordering::SeqCst), 1);
    }
}
