package portolan

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portolan/clients/go/gatewayv1"
)

// ProblemOf returns what the gateway told a program about a failure, if err is one of its failures and it told anything.
func ProblemOf(err error) (*gatewayv1.Problem, bool) {
	answer, ok := status.FromError(err)
	if !ok {
		return nil, false
	}
	for _, detail := range answer.Details() {
		if problem, ok := detail.(*gatewayv1.Problem); ok {
			return problem, true
		}
	}
	return nil, false
}

// failure is gRPC's error for who reads statuses, and containerd's for who asks errors.Is.
type failure struct {
	status *status.Status
	class  error
}

func (f *failure) Error() string              { return f.status.Message() }
func (f *failure) Unwrap() error              { return f.class }
func (f *failure) GRPCStatus() *status.Status { return f.status }

var classes = map[codes.Code]error{
	codes.Canceled:           context.Canceled,
	codes.DeadlineExceeded:   context.DeadlineExceeded,
	codes.InvalidArgument:    errdefs.ErrInvalidArgument,
	codes.NotFound:           errdefs.ErrNotFound,
	codes.AlreadyExists:      errdefs.ErrAlreadyExists,
	codes.PermissionDenied:   errdefs.ErrPermissionDenied,
	codes.Unauthenticated:    errdefs.ErrUnauthenticated,
	codes.ResourceExhausted:  errdefs.ErrResourceExhausted,
	codes.FailedPrecondition: errdefs.ErrFailedPrecondition,
	codes.Aborted:            errdefs.ErrAborted,
	codes.OutOfRange:         errdefs.ErrOutOfRange,
	codes.Unimplemented:      errdefs.ErrNotImplemented,
	codes.Internal:           errdefs.ErrInternal,
	codes.Unavailable:        errdefs.ErrUnavailable,
	codes.DataLoss:           errdefs.ErrDataLoss,
}

// native makes an error of gRPC's one of containerd's as well.
func native(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		// Nobody who calls this is at a stream's good end, and EOF would be taken for one.
		return io.ErrUnexpectedEOF
	}
	answer, ok := status.FromError(err)
	if !ok {
		return err
	}
	class, ok := classes[answer.Code()]
	if !ok {
		class = errdefs.ErrUnknown
	}
	return &failure{answer, class}
}

// broken is an answer that contradicts the question, which must not be taken for content.
func broken(format string, arguments ...any) error {
	return fmt.Errorf("the gateway %s: %w", fmt.Sprintf(format, arguments...), errdefs.ErrDataLoss)
}
