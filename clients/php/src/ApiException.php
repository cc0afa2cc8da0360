<?php

declare(strict_types=1);

namespace Protocol;

/**
 * An error response, or one that is not from the API. Members that the response lacks are null.
 */
final class ApiException extends ProtocolException
{
    public readonly int $status;
    /** Who is at fault: `invalid_request` or `api_error`. */
    public readonly ?string $type;
    /** The API's `code`, for programs. PHP's own code of an exception is an integer: here, the status code. */
    public readonly ?string $error_code;
    /** The member, parameter or header at fault. */
    public readonly ?string $param;
    public readonly ?string $documentation_url;
    public readonly ?string $request_id;

    /** @internal */
    public function __construct(Response $response, ?\Throwable $previous = null)
    {
        $error = $response->isSuccess() ? null : json_decode($response->body);
        $member = fn (string $name) => is_string($error?->$name ?? null) ? $error->$name : null;
        $this->status = $response->status;
        $this->type = $member('type');
        $this->error_code = $member('code');
        $this->param = $member('param');
        $this->documentation_url = $member('documentation_url');
        $this->request_id = $response->header('x-request-id');
        $message = $member('message') ?? "The response with status code $this->status has an unexpected body.";
        parent::__construct($message, $this->status, $previous);
    }
}
