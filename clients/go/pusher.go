package portolan

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"

	"portolan/clients/go/gatewayv1"
)

// mostSent bounds a chunk.
const mostSent = 1 << 20

type pusher struct {
	client     gatewayv1.GatewayClient
	repository string
	tag        string
	// Empty, or the one digest that gets the tag.
	only digest.Digest
}

// Push returns a writer for content whose digest and size are known. It cannot be resumed: until Commit returns, nothing
// is stored.
func (p *pusher) Push(ctx context.Context, desc ocispec.Descriptor) (content.Writer, error) {
	ref := remotes.MakeRefKey(ctx, desc)
	ctx, cancel := context.WithCancel(ctx)
	stream, err := p.client.Push(ctx)
	if err != nil {
		cancel()
		return nil, native(err)
	}
	now := time.Now()
	w := &writer{stream: stream, cancel: cancel, status: content.Status{
		Ref: ref, Total: desc.Size, Expected: desc.Digest, StartedAt: now, UpdatedAt: now,
	}}
	start := &gatewayv1.PushStart{Repository: p.repository, Descriptor_: write(desc), Name: p.name(desc)}
	if err := w.send(&gatewayv1.PushRequest{Part: &gatewayv1.PushRequest_Start{Start: start}}); err != nil {
		cancel()
		return nil, err
	}
	return w, nil
}

// name is the tag that content gets: blobs have none.
func (p *pusher) name(desc ocispec.Descriptor) string {
	document := images.IsManifestType(desc.MediaType) || images.IsIndexType(desc.MediaType)
	if !document || p.only != "" && p.only != desc.Digest {
		return ""
	}
	return p.tag
}

type writer struct {
	stream grpc.ClientStreamingClient[gatewayv1.PushRequest, gatewayv1.PushResponse]
	cancel context.CancelFunc
	status content.Status
	// The gateway has said that it has the content.
	stored bool
	closed bool
}

func (w *writer) Write(p []byte) (int, error) {
	if w.closed {
		return 0, io.ErrClosedPipe
	}
	written := 0
	for written < len(p) {
		// A copy, for gRPC may look at a message after it is sent, and the caller uses its buffer again.
		chunk := bytes.Clone(p[written:min(len(p), written+mostSent)])
		if err := w.send(&gatewayv1.PushRequest{Part: &gatewayv1.PushRequest_Chunk{Chunk: chunk}}); err != nil {
			return written, err
		}
		written += len(chunk)
		w.status.Offset += int64(len(chunk))
		w.status.UpdatedAt = time.Now()
	}
	return written, nil
}

func (w *writer) send(part *gatewayv1.PushRequest) error {
	if w.stored {
		return nil
	}
	err := w.stream.Send(part)
	if err == io.EOF {
		// The gateway answered before it had everything. It refuses, or it has the content already.
		return w.finish()
	}
	return native(err)
}

// finish says that this was all, and waits for the answer.
func (w *writer) finish() error {
	if _, err := w.stream.CloseAndRecv(); err != nil {
		return native(err)
	}
	w.stored = true
	return nil
}

// Commit ends the stream, and returns when the gateway has stored the content, or had it before.
func (w *writer) Commit(ctx context.Context, size int64, expected digest.Digest, _ ...content.Opt) error {
	if w.closed {
		return fmt.Errorf("%s is closed: %w", w.status.Ref, errdefs.ErrFailedPrecondition)
	}
	defer w.Close()
	if size > 0 && size != w.status.Offset {
		return fmt.Errorf("%s has %d bytes, not %d: %w", w.status.Ref, w.status.Offset, size, errdefs.ErrFailedPrecondition)
	}
	if expected != "" && expected != w.status.Expected {
		return fmt.Errorf("%s is not %s: %w", w.status.Ref, expected, errdefs.ErrFailedPrecondition)
	}
	if w.stored {
		return nil
	}
	// The stream lives in the context of Push, which may outlive this one.
	stop := context.AfterFunc(ctx, w.cancel)
	defer stop()
	return w.finish()
}

// Close gives up what is not committed.
func (w *writer) Close() error {
	w.closed = true
	w.cancel()
	return nil
}

// Digest is the digest that was promised; the gateway stores nothing else.
func (w *writer) Digest() digest.Digest { return w.status.Expected }

func (w *writer) Status() (content.Status, error) { return w.status, nil }

// Truncate fails unless there is nothing to do: what is sent cannot be taken back.
func (w *writer) Truncate(size int64) error {
	if size != w.status.Offset {
		return fmt.Errorf("%s cannot be truncated: %w", w.status.Ref, errdefs.ErrNotImplemented)
	}
	return nil
}
