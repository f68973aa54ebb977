using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Tests.Commands;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>Terms that the contracts on a chain would refuse are refused in words, before any call is written; what is written is
/// taken.</summary>
[Collection(ApiTests.Name)]
public sealed class FundingTests(ApiFixture api)
{
    private readonly EthereumAccount _researcher = EthereumAccount.Generate();

    private string Address => Show.Address(_researcher.Address);

    [RequiresFact(Tool.Anvil)]
    public async Task Terms_whose_calls_would_fail_are_refused_before_anything_is_signed()
    {
        SmallMarket market = await api.GetAsync();
        ResearchService research = market.Web.Services.GetRequiredService<ResearchService>();
        long now = market.Roles.View.NowSeconds;
        ulong least = market.Roles.View.Deployment.Terms.MinimumBudgetUnits;
        RequestWish wish = new()
        {
            SchemaId = SmallMarket.Schema.Id, Statistics = ["mean:length_of_stay"], Title = "T", Why = "W", TargetRecords = 100,
        };
        await RefusedAsync("funds", "has 0 token units", wish);
        await market.EndowAsync(_researcher);
        await RefusedAsync("funds", "and the budget is 99000000000", wish with { Budget = "99000000000" });
        await RefusedAsync("ledger-terms", "is too early", wish with { DeadlineSeconds = now - 5 });
        await RefusedAsync("ledger-terms", "is too late", wish with { DeadlineSeconds = now + (100L * 365 * 86_400) });
        await RefusedAsync("ledger-terms", $"the ledger takes {least} or more",
            wish with { Budget = (least - 1).ToString(CultureInfo.InvariantCulture) });
        await RefusedAsync("ledger-terms", "100 are the least", wish with
        {
            MinimumRecords = 100, Budget = Math.Max(least, 100).ToString(CultureInfo.InvariantCulture), Bid = "1000000",
        });
        await PauseAsync(market, research, wish);

        // What is written now is taken, and the same terms are answered with the same calls after that.
        string terms = (await research.WriteTermsAsync(Address, wish)).TermsJson;
        OpenInfo opened = await research.OpenAsync(Address, terms, CancellationToken.None);
        await market.SendAsync(_researcher, opened.Key, opened.Calls);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        Assert.Contains(market.Roles.View.Requests(), request => request.Researcher == _researcher.Address);
        Assert.Equal(opened.Calls, (await research.OpenAsync(Address, terms, CancellationToken.None)).Calls);

        async Task RefusedAsync(string code, string says, RequestWish wrong)
        {
            string json = (await research.WriteTermsAsync(Address, wrong)).TermsJson;
            RequestRefusedException refused = await Assert.ThrowsAsync<RequestRefusedException>(
                () => research.OpenAsync(Address, json, CancellationToken.None));
            Assert.Equal(code, refused.Code);
            Assert.Contains(says, refused.Message, StringComparison.Ordinal);
            Assert.Empty(await research.ListAsync(Address));
        }
    }

    /// <summary>While the consortium has paused requests, page, API and command say so; nothing is handed in.</summary>
    private async Task PauseAsync(SmallMarket market, ResearchService research, RequestWish wish)
    {
        using HttpClient http = market.Connect();
        string token = await ApiFixture.SignInAsync(http, _researcher);
        using HttpClient mine = market.Connect(token);
        string key = Path.Combine(market.Options.Keys, $"{Address}.key");
        _researcher.Save(key);
        await market.Roles.Consortium!.SetPausedAsync(paused: true, CancellationToken.None);
        try
        {
            await market.Roles.View.SyncAsync(CancellationToken.None);
            using StringContent body = new(
                (await research.WriteTermsAsync(Address, wish)).TermsJson, Encoding.UTF8, "application/json");
            using HttpResponseMessage refused = await mine.PostAsync("/api/v1/requests", body);
            Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
            Assert.Equal("requests-paused", await ApiFixture.CodeAsync(refused));
            JsonObject known = await ApiFixture.ReadAsync(await mine.GetAsync("/api/v1/market?kept=not"));
            Assert.True(known["requestsPaused"]!.GetValue<bool>());
            string page = await mine.GetStringAsync($"/requests/new?schema={wish.SchemaId}");
            Assert.Contains("takes no new requests at the moment", page, StringComparison.Ordinal);
            (int code, _, string error) = await CommandProcess.RunAsync(
                market.Options.Keys,
                ["request", "open", "--schema", wish.SchemaId, "--statistic", wish.Statistics[0], "--records", "100", "--title", "T",
                    "--why", "W", "--yes", "--key", key, "--keys", market.Options.Keys, "--server",
                    market.Address.GetLeftPart(UriPartial.Authority)]);
            Assert.Equal((75, true), (code, error.Contains("takes no new requests", StringComparison.Ordinal)));
            Assert.Empty(await research.ListAsync(Address));
        }
        finally
        {
            await market.Roles.Consortium.SetPausedAsync(paused: false, CancellationToken.None);
            await market.Roles.View.SyncAsync(CancellationToken.None);
        }
    }
}
