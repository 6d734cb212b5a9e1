//! The body of a request that a guard may keep back. Without its body, a request has no effect.

use std::pin::Pin;
use std::task::{Context, Poll};

use aws_smithy_types::body::{self, SdkBody};
use http_body::{Body, Frame, SizeHint};

/// Asks the guard before each part of the body leaves. If the guard refuses, the body fails, and
/// the connection is closed: the other side has received half a request at most.
pub(crate) fn guarded(
    body: SdkBody,
    guard: impl Fn() -> Result<(), body::Error> + Send + Sync + Unpin + 'static,
) -> SdkBody {
    SdkBody::from_body_1_x(Guarded { body, guard })
}

struct Guarded<G> {
    body: SdkBody,
    guard: G,
}

impl<G: Fn() -> Result<(), body::Error> + Unpin> Body for Guarded<G> {
    type Data = <SdkBody as Body>::Data;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Err(refusal) = (self.guard)() {
            return Poll::Ready(Some(Err(refusal)));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}
