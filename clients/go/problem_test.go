package portolan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/containerd/errdefs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portolan/clients/go/gatewayv1"
	"portolan/clients/go/internal/fake"
)

func TestClasses(t *testing.T) {
	for code, class := range map[codes.Code]error{
		codes.NotFound:           errdefs.ErrNotFound,
		codes.PermissionDenied:   errdefs.ErrPermissionDenied,
		codes.Unauthenticated:    errdefs.ErrUnauthenticated,
		codes.Unavailable:        errdefs.ErrUnavailable,
		codes.InvalidArgument:    errdefs.ErrInvalidArgument,
		codes.ResourceExhausted:  errdefs.ErrResourceExhausted,
		codes.FailedPrecondition: errdefs.ErrFailedPrecondition,
		codes.DataLoss:           errdefs.ErrDataLoss,
		codes.Unimplemented:      errdefs.ErrNotImplemented,
		codes.Internal:           errdefs.ErrInternal,
		codes.Canceled:           context.Canceled,
		codes.DeadlineExceeded:   context.DeadlineExceeded,
		codes.Unknown:            errdefs.ErrUnknown,
		codes.Code(99):           errdefs.ErrUnknown,
	} {
		err := fmt.Errorf("around it: %w", native(status.Error(code, "said")))
		if !errors.Is(err, class) {
			t.Errorf("%v is not %v", code, class)
		}
		if status.Code(err) != code {
			t.Errorf("%v became %v", code, status.Code(err))
		}
		if err.Error() != "around it: said" {
			t.Errorf("%q", err)
		}
	}
	if err := native(nil); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	if err := native(io.EOF); err != io.ErrUnexpectedEOF {
		t.Errorf("of an end: %v", err)
	}
	if err := native(io.ErrNoProgress); err != io.ErrNoProgress {
		t.Errorf("of what is not the gateway's: %v", err)
	}
}

func TestProblemOf(t *testing.T) {
	gateway := fake.Gateway{OnResolve: func(*gatewayv1.ResolveRequest) (*gatewayv1.ResolveResponse, error) {
		return nil, fake.Failure(codes.ResourceExhausted, "too many", &gatewayv1.Problem{
			Code: "rate-limited", Reference: alpine, RetryAfter: 7, Hint: "wait",
		})
	}}
	_, _, err := connect(t, &gateway).Resolve(t.Context(), alpine)
	if !errdefs.IsResourceExhausted(err) {
		t.Errorf("%v", err)
	}
	problem, ok := ProblemOf(fmt.Errorf("around it: %w", err))
	if !ok || problem.GetCode() != "rate-limited" || problem.GetReference() != alpine ||
		problem.GetRetryAfter() != 7 || problem.GetHint() != "wait" {
		t.Errorf("%v, %v", problem, ok)
	}
	for _, err := range []error{nil, io.EOF, native(status.Error(codes.NotFound, "without details"))} {
		if problem, ok := ProblemOf(err); ok || problem != nil {
			t.Errorf("of %v: %v", err, problem)
		}
	}
}
