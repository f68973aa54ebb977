using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Consents;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Tests.Api;

namespace EmrMarket.Silos.Tests.Consents;

/// <summary>Consents that the hospital keeps, handed in at its desk of a running market.</summary>
[Collection(ApiTests.Name)]
public sealed class ConsentDeskTests(ApiFixture api)
{
    private static readonly ConsentMenu Menu = new(SmallMarket.Schema, ConsentExamples.Rates);

    [RequiresFact(Tool.Anvil)]
    public async Task Consents_of_a_file_become_policies_of_those_who_command_nothing_themselves()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync("staff");
        SiteRole site = market.Roles.Site(SmallMarket.SiteName);
        Desk[] desks = [.. (await LastAsync(market, site, 6))];
        await ResumeBySignatureAsync(market, site, desks[3]);
        SetPolicies[] before = await Task.WhenAll(desks.Select(desk => PolicyAsync(site, desk)));

        string[] lines =
        [
            Consent(desks[0].Person), Consent(desks[1].Person, "rejected"), Consent(desks[2].Person, "inactive"), Consent(desks[3].Person),
            """{"resourceType":"Patient","id":"1"}""", "{nothing", Consent("999999999"), Consent(desks[4].Person), Consent(desks[4].Person),
            Consent(desks[5].Person).Replace("\"purpose\"", "\"actor\"", StringComparison.Ordinal),
            Consent("1").Replace("Patient/1", "Group/1", StringComparison.Ordinal),
        ];
        JsonObject done = await SetAsync(http, string.Join('\n', lines));
        Assert.Equal((9, 1, 1, 1, 0, 1), (
            Number(done, "consents"), Number(done, "active"), Number(done, "paused"), Number(done, "withdrawn"),
            Number(done, "unchanged"), Number(done, "otherResources")));
        Assert.Equal(
            [(4, "business-rule"), (6, "invalid"), (7, "not-found"), (9, "multiple-matches"), (10, "not-supported"), (11, "value")],
            done["problems"]!.AsArray().Select(one => (Number(one!.AsObject(), "line"), one["code"]!.GetValue<string>())).Order());

        ConsentPolicy meant = ConsentReader.Read(
            Encoding.UTF8.GetBytes(Consent(desks[0].Person)), Menu, market.Roles.View.NowSeconds, "").Policy!;
        SetPolicies[] after = await Task.WhenAll(desks.Select(desk => PolicyAsync(site, desk)));
        Assert.Equal((meant.Profile, meant.Purpose, meant.ExpirySeconds, before[0].Rates[0], before[0].Quotas[0], Participation.Active),
            (after[0].Profiles[0], after[0].Purposes[0], after[0].ExpirySeconds[0], after[0].Rates[0], after[0].Quotas[0],
                after[0].Participation[0]));
        Assert.NotEqual(before[0].Profiles[0], after[0].Profiles[0]);
        Assert.Equal((Participation.Withdrawn, Participation.Paused), (after[1].Participation[0], after[2].Participation[0]));
        foreach (int kept in (int[])[3, 4, 5])
        {
            Assert.Equal((before[kept].Profiles[0], before[kept].ExpirySeconds[0], before[kept].Participation[0]),
                (after[kept].Profiles[0], after[kept].ExpirySeconds[0], after[kept].Participation[0]));
        }

        // Once more: nothing is left to do, and a withdrawal stays one.
        JsonObject again = await SetAsync(
            http, string.Join('\n', Consent(desks[0].Person), Consent(desks[1].Person), Consent(desks[3].Person, "rejected")));
        Assert.Equal((1, 0, 1), (Number(again, "unchanged"), Number(again, "active"), Number(again, "withdrawn")));
        Assert.Equal("business-rule", again["problems"]!.AsArray().Single()!["code"]!.GetValue<string>());
        Assert.Equal(Participation.Withdrawn, (await PolicyAsync(site, desks[3])).Participation[0]);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Call_with_a_wrong_layout_rate_or_body_is_refused()
    {
        using HttpClient http = await api.AsAsync("staff");
        string path = $"/api/v1/sites/{SmallMarket.SiteName}/policies/consents?schema={SmallMarket.Schema.Id}";
        Assert.Equal("invalid-value", await ApiFixture.CodeAsync(await http.PostAsync(path + "&rate=200", Body("{}"))));
        Assert.Equal("invalid-value", await ApiFixture.CodeAsync(await http.PostAsync(path + "&quota=0", Body("{}"))));
        Assert.Equal("unsupported-media-type", await ApiFixture.CodeAsync(await http.PostAsync(path, Body("{}", "text/csv"))));
        Assert.Equal("malformed-hash", await ApiFixture.CodeAsync(await http.PostAsync(path[..^1], Body("{}"))));
        foreach ((string query, string body) in ((string, string)[])[("&layout=other", Consent("1")), ("", "no JSON")])
        {
            JsonObject failed = await FinishAsync(http, await http.PostAsync(path + query, Body(body)));
            Assert.Equal("failed", failed["state"]!.GetValue<string>());
            Assert.Equal("/problems/invalid-input", failed["problem"]!["type"]!.GetValue<string>());
        }
    }

    private sealed record Desk(string Person, string Pseudonym, byte[] Seed);

    /// <summary>The last persons of the market's records, whom no other test looks at.</summary>
    private static async Task<IEnumerable<Desk>> LastAsync(SmallMarket market, SiteRole site, int count)
    {
        SiteStatus status = await site.Grain.StatusAsync(SmallMarket.Schema.Id);
        Dictionary<string, Desk> desks = new(StringComparer.Ordinal);
        for (int record = status.Records - 1; desks.Count < count; record--)
        {
            SiteEnrolment person = await site.Grain.EnrolmentAsync(SmallMarket.Schema.Id, record);
            SitePublisher known = await site.Grain.PublisherAsync(SmallMarket.Schema.Id, person.Pseudonyms[0]);
            if (!person.Pseudonyms.Contains(market.Publisher.Pseudonym, StringComparer.Ordinal))
            {
                string id = known.Policy.PersonKeys[0].ToString(CultureInfo.InvariantCulture);
                desks.TryAdd(id, new Desk(id, person.Pseudonyms[0], person.Seed));
            }
        }

        return desks.Values;
    }

    private static async Task ResumeBySignatureAsync(SmallMarket market, SiteRole site, Desk desk)
    {
        Bytes32 pseudonym = Bytes32.ParseDigits(desk.Pseudonym);
        PublisherDomain domain = new(market.Roles.View.Deployment.ChainId,
            Contracts.Ethereum.Address.Parse(market.Roles.View.Deployment.AccessControl.Address),
            Bytes32.ParseDigits(SmallMarket.Schema.Id), pseudonym);
        PublisherCommand command = new PublisherCommand { Nonce = 1, Kind = PublisherCommandKind.Resume, Signature = [] }
            .Sign(domain, new EthereumAccount(PatientKeys.Controller(desk.Seed, pseudonym)));
        await site.Grains.GetGrain<IPublisherGrain>(
            PublisherKey.Of(SmallMarket.SiteName, SmallMarket.Schema.Id, desk.Pseudonym)).CommandAsync(command);
    }

    private static async Task<SetPolicies> PolicyAsync(SiteRole site, Desk desk) =>
        (await site.Grain.PublisherAsync(SmallMarket.Schema.Id, desk.Pseudonym)).Policy;

    private static string Consent(string person, string status = "active")
    {
        JsonObject consent = ConsentExamples.Example(Menu);
        consent["status"] = status;
        consent["patient"] = new JsonObject { ["reference"] = "Patient/" + person };
        return consent.ToJsonString();
    }

    private static async Task<JsonObject> SetAsync(HttpClient http, string lines)
    {
        JsonObject done = await FinishAsync(http, await http.PostAsync(
            $"/api/v1/sites/{SmallMarket.SiteName}/policies/consents?schema={SmallMarket.Schema.Id}",
            Body(lines, "application/fhir+ndjson")));
        Assert.True("succeeded" == done["state"]!.GetValue<string>(), done.ToJsonString());
        return done["result"]!.AsObject();
    }

    private static async Task<JsonObject> FinishAsync(HttpClient http, HttpResponseMessage begun)
    {
        JsonObject work = await ApiFixture.ReadAsync(begun);
        while (work["state"]!.GetValue<string>() == "running")
        {
            await Task.Yield();
            work = await ApiFixture.ReadAsync(await http.GetAsync("/api/v1/operations/" + work["id"]!.GetValue<string>()));
        }

        return work;
    }

    private static int Number(JsonObject json, string name) => json[name]!.GetValue<int>();

    private static ByteArrayContent Body(string text, string type = "application/fhir+json")
    {
        ByteArrayContent body = new(Encoding.UTF8.GetBytes(text));
        body.Headers.ContentType = new MediaTypeHeaderValue(type);
        return body;
    }
}
