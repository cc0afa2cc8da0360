"""get-group in Python, for `cargo bench -- peers`."""

import hashlib
import json
import os
import time

import boto3

CONTACT = (
    "id", "username", "phone_number", "avatar_url", "display_name", "conversation_id", "last_active_at", "created_at",
)
MAX_AGE = 20

dynamodb = boto3.client("dynamodb")
tokens = {}


def get(table, key):
    """Returns an item, with the numbers as integers, or None."""
    key = {name: {"S": value} for name, value in key.items()}
    item = dynamodb.get_item(TableName=os.environ[table], Key=key, ConsistentRead=True).get("Item")
    return item and {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}


def find_account(authorization):
    """Returns the account of an active token, or None."""
    token_hash = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    token, looked_up = tokens.get(token_hash, (None, 0))
    now = time.time()
    if not token or now - looked_up >= MAX_AGE:
        token = get("TOKENS_TABLE", {"token_hash": token_hash})
        if not token or "revoked_at" in token:
            return None
        tokens[token_hash] = (token, now)
    return token["account_id"] if token.get("expires_at", now + 1) > now else None


def handler(event, _context):
    account_id = find_account(event["headers"].get("authorization", ""))
    if not account_id:
        return {"statusCode": 401}
    item = get("GROUPS_TABLE", {"account_id": account_id, "id": event["pathParameters"]["id"]})
    if not item:
        return {"statusCode": 404}
    group = {
        "id": item["id"],
        "name": item["name"],
        "description": item.get("description"),
        "avatar_url": item.get("avatar_url"),
        "conversation_id": item["conversation_id"],
        "contacts": [{name: contact.get(name) for name in CONTACT} for contact in json.loads(item["contacts"])],
        "created_at": item["created_at"],
        "archived_at": item.get("archived_at"),
    }
    headers = {"content-type": "application/json", "etag": f'"{item["version"]}"'}
    body = json.dumps(group, ensure_ascii=False, separators=(",", ":"))
    return {"statusCode": 200, "headers": headers, "body": body}
