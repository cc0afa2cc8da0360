// Uses the client that openapi-generator generates for Go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	groups "generated/go"
)

func check(ok bool, found any) {
	if !ok {
		text, _ := json.Marshal(found)
		panic(string(text))
	}
}

func must[T any](value T, err error) T {
	check(err == nil, fmt.Sprint(err))
	return value
}

func main() {
	configuration := groups.NewConfiguration()
	configuration.Servers = groups.ServerConfigurations{{URL: os.Getenv("GROUPS_URL")}}
	api := groups.NewAPIClient(configuration).GroupsAPI
	ctx := context.WithValue(context.Background(), groups.ContextAccessToken, os.Getenv("GROUPS_TOKEN"))
	get := func(id string) (*groups.Group, error) {
		group, _, err := api.GetGroup(ctx, id).Execute()
		return group, err
	}
	update := func(id string, changes groups.GroupChanges) *groups.Group {
		group, _, err := api.UpdateGroup(ctx, id).GroupChanges(changes).Execute()
		return must(group, err)
	}

	input := groups.NewGroupInput("Ünïcödé")
	input.SetDescription("a")
	input.SetContacts([]groups.ContactInput{*groups.NewContactInput("Hector")})
	created, _, err := api.CreateGroup(ctx).GroupInput(*input).Execute()
	check(err == nil, fmt.Sprint(err))
	check(reflect.DeepEqual(must(get(created.Id)), created), created)
	check(created.Contacts[0].Username == "Hector", created)
	changes := groups.NewGroupChanges()
	changes.SetName("Renamed")
	changes.SetDescriptionNil()
	changes.SetContacts([]groups.ContactInput{})
	updated := update(created.Id, *changes)
	check(updated.Name == "Renamed" && updated.Description.Get() == nil && len(updated.Contacts) == 0, updated)
	changes = groups.NewGroupChanges()
	changes.SetArchivedAt(1 << 32)
	archived := update(created.Id, *changes)
	check(*archived.ArchivedAt.Get() == 1<<32, archived)
	page, _, err := api.ListGroups(ctx).Limit(1).Execute()
	check(err == nil && page.HasMore && page.Data[0].Id == created.Id, page)
	page, _, err = api.ListGroups(ctx).Limit(1).StartingAfter(created.Id).Execute()
	check(err == nil && page.Data[0].Id != created.Id, page)
	_, err = api.DeleteGroup(ctx, created.Id).Execute()
	check(err == nil, fmt.Sprint(err))
	_, err = get(created.Id)
	var failure *groups.GenericOpenAPIError
	check(errors.As(err, &failure), fmt.Sprint(err))
	check(*failure.Model().(groups.AnyError).Code == "new_code", failure.Model())
}
