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
    public function __construct(Response $response)
    {
        $this->status = $response->status;
        $this->type = $response->error['type'] ?? null;
        $this->error_code = $response->error['code'] ?? null;
        $this->param = $response->error['param'] ?? null;
        $this->documentation_url = $response->error['documentation_url'] ?? null;
        $this->request_id = $response->requestId();
        $message = $response->error['message'] ?? "The response with status $this->status is not from the API. "
            . 'If it persists, check the base URL.';
        parent::__construct($message, $this->status);
    }
}
