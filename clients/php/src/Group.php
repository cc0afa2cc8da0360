<?php

declare(strict_types=1);

namespace Protocol;

/**
 * A group. The properties have the names of the API's members. Times are Unix seconds.
 */
final class Group implements \JsonSerializable
{
    public readonly string $id;
    public readonly string $name;
    public readonly ?string $description;
    public readonly ?string $avatar_url;
    public readonly string $conversation_id;
    /** @var list<Contact> */
    public readonly array $contacts;
    public readonly int $created_at;
    public readonly ?int $archived_at;
    /** The version of the group; null in a page. */
    public readonly ?string $etag;
    /** The id of the request that returned the group; null in a page. */
    public readonly ?string $request_id;

    /** @internal */
    public function __construct(private readonly \stdClass $members, ?Response $response = null)
    {
        // A null that is not allowed is a TypeError, which Response::decode() reports.
        $this->id = $members->id ?? null;
        $this->name = $members->name ?? null;
        $this->description = $members->description ?? null;
        $this->avatar_url = $members->avatar_url ?? null;
        $this->conversation_id = $members->conversation_id ?? null;
        $this->contacts = array_map(fn (\stdClass $contact) => new Contact($contact), $members->contacts ?? null);
        $this->created_at = $members->created_at ?? null;
        $this->archived_at = $members->archived_at ?? null;
        $this->etag = $response?->header('etag');
        $this->request_id = $response?->requestId();
    }

    /** Returns the members as the API sent them. */
    public function jsonSerialize(): \stdClass
    {
        return $this->members;
    }

    /** @return array<string, mixed> */
    public function __debugInfo(): array
    {
        return [
            ...(array) $this->members,
            'contacts' => $this->contacts,
            'etag' => $this->etag,
            'request_id' => $this->request_id,
        ];
    }
}
