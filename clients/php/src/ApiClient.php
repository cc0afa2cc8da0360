<?php

declare(strict_types=1);

namespace Protocol;

/**
 * A client of the groups API.
 */
final class ApiClient
{
    public const VERSION = '0.1.0';

    public readonly Groups $groups;

    /**
     * @param string|null $baseUrl the environment variable PROTOCOL_BASE_URL or https://api.protocol.chat by default
     * @param float $timeout seconds for each attempt, including the body of the response
     * @param int $retries how often a failed request is sent again; 0 turns retries off
     * @throws \InvalidArgumentException if a header cannot contain the token, or an option is invalid
     */
    public function __construct(
        #[\SensitiveParameter] string $token,
        ?string $baseUrl = null,
        float $timeout = 30,
        int $retries = 2,
    ) {
        // The handle keeps the token: unlike a property, no var_dump() or cast shows it.
        $curl = curl_init();
        $isValid = preg_match('/^[!-~]+$/D', $token) === 1
            && curl_setopt_array($curl, [CURLOPT_HTTPAUTH => CURLAUTH_BEARER, CURLOPT_XOAUTH2_BEARER => $token]);
        // PHP 8.1 ignores SensitiveParameter, and stack traces contain the last values of arguments.
        $token = '';
        $baseUrl ??= getenv('PROTOCOL_BASE_URL') ?: 'https://api.protocol.chat';
        $transport = new Transport($curl, $baseUrl, $timeout, $retries);
        if (!$isValid) {
            throw new \InvalidArgumentException(
                'The token must be a string of visible ASCII characters without spaces.'
            );
        }
        $this->groups = new Groups($transport);
    }
}
