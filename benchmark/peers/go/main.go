// Command go is get-group in Go, for `cargo bench -- peers`.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

type group struct {
	ID             string    `json:"id" dynamodbav:"id"`
	Name           string    `json:"name" dynamodbav:"name"`
	Description    *string   `json:"description" dynamodbav:"description"`
	AvatarURL      *string   `json:"avatar_url" dynamodbav:"avatar_url"`
	ConversationID string    `json:"conversation_id" dynamodbav:"conversation_id"`
	Contacts       []contact `json:"contacts" dynamodbav:"-"`
	CreatedAt      int64     `json:"created_at" dynamodbav:"created_at"`
	ArchivedAt     *int64    `json:"archived_at" dynamodbav:"archived_at"`
	Version        string    `json:"-" dynamodbav:"version"`
	ContactsJSON   string    `json:"-" dynamodbav:"contacts"`
}

type contact struct {
	ID             *string `json:"id"`
	Username       string  `json:"username"`
	PhoneNumber    *string `json:"phone_number"`
	AvatarURL      *string `json:"avatar_url"`
	DisplayName    *string `json:"display_name"`
	ConversationID *string `json:"conversation_id"`
	LastActiveAt   *int64  `json:"last_active_at"`
	CreatedAt      *int64  `json:"created_at"`
}

type token struct {
	AccountID string `dynamodbav:"account_id"`
	ExpiresAt *int64 `dynamodbav:"expires_at"`
	RevokedAt *int64 `dynamodbav:"revoked_at"`
	lookedUp  time.Time
}

const maxAge = 20 * time.Second

var (
	client *dynamodb.Client
	tokens = map[string]token{}
)

// get reads an item into out. If there is no such item, it leaves out unchanged.
func get(ctx context.Context, table string, key map[string]string, out any) error {
	attributes, err := attributevalue.MarshalMap(key)
	if err != nil {
		return err
	}
	found, err := client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(os.Getenv(table)), Key: attributes, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return err
	}
	return attributevalue.UnmarshalMap(found.Item, out)
}

// findAccount returns the account of an active token, or an empty string.
func findAccount(ctx context.Context, authorization string) (string, error) {
	sum := sha256.Sum256([]byte(strings.TrimPrefix(authorization, "Bearer ")))
	hash := hex.EncodeToString(sum[:])
	found, isCached := tokens[hash]
	if !isCached || time.Since(found.lookedUp) >= maxAge {
		found = token{lookedUp: time.Now()}
		err := get(ctx, "TOKENS_TABLE", map[string]string{"token_hash": hash}, &found)
		if err != nil || found.AccountID == "" || found.RevokedAt != nil {
			return "", err
		}
		tokens[hash] = found
	}
	if found.ExpiresAt != nil && *found.ExpiresAt <= time.Now().Unix() {
		return "", nil
	}
	return found.AccountID, nil
}

func handle(
	ctx context.Context, request events.APIGatewayV2HTTPRequest,
) (response events.APIGatewayV2HTTPResponse, err error) {
	accountID, err := findAccount(ctx, request.Headers["authorization"])
	if err != nil {
		return response, err
	}
	if accountID == "" {
		response.StatusCode = 401
		return response, nil
	}
	var found group
	key := map[string]string{"account_id": accountID, "id": request.PathParameters["id"]}
	if err := get(ctx, "GROUPS_TABLE", key, &found); err != nil {
		return response, err
	}
	if found.ID == "" {
		response.StatusCode = 404
		return response, nil
	}
	if err := json.Unmarshal([]byte(found.ContactsJSON), &found.Contacts); err != nil {
		return response, err
	}
	body, err := json.Marshal(found)
	response.StatusCode = 200
	response.Headers = map[string]string{"content-type": "application/json", "etag": `"` + found.Version + `"`}
	response.Body = string(body)
	return response, err
}

func main() {
	configuration, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	client = dynamodb.NewFromConfig(configuration)
	lambda.Start(handle)
}
