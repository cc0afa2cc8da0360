// get-group in JavaScript, for `cargo bench -- peers`.

import { createHash } from "node:crypto";
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";

const CONTACT = [
  "id", "username", "phone_number", "avatar_url", "display_name", "conversation_id", "last_active_at", "created_at",
];
const MAX_AGE_MS = 20_000;

const dynamodb = new DynamoDBClient();
const tokens = new Map();

/** Returns the attributes of an item, or undefined. */
async function get(table, key) {
  const Key = Object.fromEntries(Object.entries(key).map(([name, value]) => [name, { S: value }]));
  const command = new GetItemCommand({ TableName: process.env[table], Key, ConsistentRead: true });
  const { Item } = await dynamodb.send(command);
  const attributes = ([name, { S, N }]) => [name, N === undefined ? S : Number(N)];
  return Item && Object.fromEntries(Object.entries(Item).map(attributes));
}

/** Returns the account of an active token, or undefined. */
async function findAccount(authorization) {
  const hash = createHash("sha256").update(authorization.replace("Bearer ", "")).digest("hex");
  const now = Date.now();
  let entry = tokens.get(hash);
  if (!entry || now - entry.lookedUp >= MAX_AGE_MS) {
    const token = await get("TOKENS_TABLE", { token_hash: hash });
    if (!token || token.revoked_at !== undefined) return undefined;
    entry = { token, lookedUp: now };
    tokens.set(hash, entry);
  }
  const { account_id, expires_at = Infinity } = entry.token;
  return expires_at * 1000 > now ? account_id : undefined;
}

export async function handler({ headers, pathParameters }) {
  const accountId = await findAccount(headers.authorization ?? "");
  if (!accountId) return { statusCode: 401 };
  const item = await get("GROUPS_TABLE", { account_id: accountId, id: pathParameters.id });
  if (!item) return { statusCode: 404 };
  const contacts = JSON.parse(item.contacts);
  const group = {
    id: item.id,
    name: item.name,
    description: item.description ?? null,
    avatar_url: item.avatar_url ?? null,
    conversation_id: item.conversation_id,
    contacts: contacts.map((contact) => Object.fromEntries(CONTACT.map((name) => [name, contact[name] ?? null]))),
    created_at: item.created_at,
    archived_at: item.archived_at ?? null,
  };
  return {
    statusCode: 200,
    headers: { "content-type": "application/json", etag: `"${item.version}"` },
    body: JSON.stringify(group),
  };
}
