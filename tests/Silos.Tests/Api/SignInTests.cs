using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Access.Accounts;
using EmrMarket.Silos.Api.Access.SignIn;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Tests.Api;

[Collection(ApiTests.Name)]
public sealed class SignInTests(ApiFixture api)
{
    private const string Domain = "market.example:443";
    private const string Uri = "https://market.example:443";
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void Message_is_the_text_of_EIP_4361()
    {
        SignInMessage message = new()
        {
            Domain = Domain, Address = Address.Parse("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"), Uri = Uri, ChainId = 1,
            Nonce = "32891756abcd", IssuedSeconds = Start.ToUnixTimeSeconds(),
            ExpirySeconds = Start.ToUnixTimeSeconds() + 300,
            Publisher = new PublisherName("a-site", new string('a', 64), new string('b', 64)),
        };
        string text = $"""
            market.example:443 wants you to sign in with your Ethereum account:
            0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

            {SignInMessage.Statement}

            URI: https://market.example:443
            Version: 1
            Chain ID: 1
            Nonce: 32891756abcd
            Issued At: 2026-01-02T03:04:05Z
            Expiration Time: 2026-01-02T03:09:05Z
            Resources:
            - urn:emrmarket:publisher:a-site/{new string('a', 64)}/{new string('b', 64)}
            """.ReplaceLineEndings("\n");
        Assert.Equal(text, message.Write());
        Assert.Equal(message, SignInMessage.Read(text));
        Assert.Null(SignInMessage.Read(text + "\n"));
        Assert.Null(SignInMessage.Read(text.Replace("Version: 1", "Version: 2", StringComparison.Ordinal)));
        Assert.Null(SignInMessage.Read(text.Replace("Chain ID: 1", "Chain ID: 01", StringComparison.Ordinal)));
        Assert.Null(SignInMessage.Read(text.Replace("0xC02a", "0xc02a", StringComparison.Ordinal)));
    }

    // The digest that ethers.js documents for hashMessage("Hello World").
    [Fact]
    public void Digest_is_that_of_EIP_191() =>
        Assert.Equal("0xa1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2", SignInMessage.Digest("Hello World").ToString());

    [Fact]
    public void Challenge_opens_one_session_for_its_signer_until_it_expires()
    {
        Clock clock = new(Start);
        Challenges challenges = new(clock, 31337);
        EthereumAccount account = EthereumAccount.Generate();
        string text = challenges.Issue(account.Address, null, Domain, Uri).Write();
        string signature = ApiFixture.Sign(account, text);

        Refused(() => challenges.Redeem(text, ApiFixture.Sign(EthereumAccount.Generate(), text), Domain));
        Refused(() => challenges.Redeem(text, "0x00", Domain));
        Refused(() => challenges.Redeem(text, "nonsense", Domain));
        Refused(() => challenges.Redeem(text, signature, "elsewhere.example"));
        Refused(() => new Challenges(clock, 31337).Redeem(text, signature, Domain));
        foreach ((string from, string to) in new[] { ("Chain ID: 31337", "Chain ID: 1"), ("03:04:05Z", "03:04:06Z"),
            ("03:09:05Z", "04:09:05Z"), ("https://market", "https://evil") })
        {
            string changed = text.Replace(from, to, StringComparison.Ordinal);
            Assert.NotEqual(text, changed);
            Refused(() => challenges.Redeem(changed, ApiFixture.Sign(account, changed), Domain));
        }

        string asPatient = text + $"\nResources:\n- urn:emrmarket:publisher:a/{new string('a', 64)}/{new string('b', 64)}";
        Refused(() => challenges.Redeem(asPatient, ApiFixture.Sign(account, asPatient), Domain));

        Assert.Equal(account.Address, challenges.Redeem(text, signature, Domain).Address);
        Refused(() => challenges.Redeem(text, signature, Domain));

        string late = challenges.Issue(account.Address, null, Domain, Uri).Write();
        clock.Now += Challenges.Life + TimeSpan.FromSeconds(1);
        Refused(() => challenges.Redeem(late, ApiFixture.Sign(account, late), Domain));

        static void Refused(Action redeem) => Assert.Equal("/problems/challenge-refused", Assert.Throws<ApiException>(redeem).Problem.Type);
    }

    // RFC 6238, appendix B, SHA-1: eight digits there, of which six are shown.
    [Theory]
    [InlineData(59, "287082")]
    [InlineData(1111111109, "081804")]
    [InlineData(1234567890, "005924")]
    [InlineData(2000000000, "279037")]
    public void Code_is_that_of_RFC_6238(long seconds, string code) =>
        Assert.Equal(code, Authenticator.Code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", seconds / 30));

    [RequiresFact(Tool.Anvil)]
    public async Task Patient_signs_in_for_the_own_pseudonym_only()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = market.Connect();
        foreach ((EthereumAccount account, PublisherName publisher) in new[]
        {
            (EthereumAccount.Generate(), market.Publisher), (market.Patient, market.Publisher with { Pseudonym = new string('0', 64) }),
            (market.Patient, market.Publisher with { Site = "elsewhere" }),
        })
        {
            using HttpResponseMessage asked = await http.PostAsJsonAsync(
                "/api/v1/sign-in/challenges", new { address = Show.Address(account.Address), publisher = publisher.ToString() });
            string message = (await ApiFixture.ReadAsync(asked))["message"]!.GetValue<string>();
            using HttpResponseMessage answer = await http.PostAsJsonAsync(
                "/api/v1/sign-in", new { message, signature = ApiFixture.Sign(account, message) });
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.Equal("challenge-refused", await ApiFixture.CodeAsync(answer));
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Account_is_locked_after_five_failures_and_each_code_opens_one_session()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient machine = await api.AsAsync("operator");
        using HttpClient http = market.Connect();
        JsonObject secrets = await ApiFixture.ReadAsync(
            await machine.PostAsJsonAsync("/api/v1/accounts", new { name = "locked", role = "auditor", twoFactor = true }));
        string password = secrets["password"]!.GetValue<string>(), key = secrets["authenticatorKey"]!.GetValue<string>();
        Assert.Equal("sign-in-failed", await SignInAsync(password, null));
        string code = Authenticator.Code(key, DateTimeOffset.UtcNow.ToUnixTimeSeconds() / 30);
        Assert.Equal("", await SignInAsync(password, code));
        Assert.Equal("sign-in-failed", await SignInAsync(password, code));

        // The success forgot the first failure; the second is the first of five.
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal("sign-in-failed", await SignInAsync("wrong", code));
        }

        string next = Authenticator.Code(key, (DateTimeOffset.UtcNow.ToUnixTimeSeconds() / 30) + 1);
        Assert.Equal("sign-in-failed", await SignInAsync(password, next));
        Account locked = (await market.Options.Accounts.FindAsync("locked", CancellationToken.None))!;
        Assert.True(locked.LockedUntilSeconds > DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        locked.LockedUntilSeconds = 0;
        Assert.True(await market.Options.Accounts.Auditors.TrySaveAsync(locked, CancellationToken.None));
        Assert.Equal("", await SignInAsync(password, next));
        Assert.Equal("sign-in-failed", await SignInAsync("any", null, "no-such-name"));

        async Task<string> SignInAsync(string tried, string? with, string name = "locked")
        {
            using HttpResponseMessage answer = await http.PostAsJsonAsync(
                "/api/v1/sign-in/password", new { name, password = tried, code = with });
            return answer.IsSuccessStatusCode ? "" : await ApiFixture.CodeAsync(answer);
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Ended_sessions_and_removed_accounts_open_nothing()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = market.Connect();
        using HttpClient mine = market.Connect(await ApiFixture.SignInAsync(http, EthereumAccount.Generate()));
        Assert.Equal(HttpStatusCode.OK, (await mine.GetAsync("/api/v1/session")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await mine.DeleteAsync("/api/v1/session")).StatusCode);
        Assert.Equal("session-ended", await ApiFixture.CodeAsync(await mine.GetAsync("/api/v1/session")));

        using HttpClient machine = await api.AsAsync("operator");
        foreach (string bad in new[] { "emr-operator-" + new string('0', 64), "nonsense", "" })
        {
            using HttpClient forged = market.Connect(bad.Length > 0 ? bad : "x");
            Assert.Equal("sign-in-required", await ApiFixture.CodeAsync(await forged.GetAsync("/api/v1/accounts")));
        }

        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite,
                File.GetUnixFileMode(Path.Combine(market.Options.Keys, OperatorToken.FileName)));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
                File.GetUnixFileMode(market.Options.Keys));
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Cookie_is_guarded_and_changes_need_the_token_of_the_own_page()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = market.Connect();
        using HttpResponseMessage signedIn = await http.PostAsJsonAsync(
            "/api/v1/sign-in/password?cookie=true", new { name = "the-staff", password = ApiFixture.Password });
        Assert.Null((await ApiFixture.ReadAsync(signedIn))["token"]?.GetValue<string>());
        string cookie = Assert.Single(
            signedIn.Headers.GetValues("Set-Cookie"), one => one.StartsWith(AccessSetup.CookieName, StringComparison.Ordinal));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);

        using HttpResponseMessage read = await SendAsync(HttpMethod.Get, "/api/v1/session", cookie);
        string csrf = (await ApiFixture.ReadAsync(read))["csrf"]!.GetValue<string>();
        string both = cookie.Split(';')[0] + "; " + Assert.Single(read.Headers.GetValues("Set-Cookie")).Split(';')[0];
        Assert.Equal("cross-site", await ApiFixture.CodeAsync(await SendAsync(HttpMethod.Delete, "/api/v1/session", both)));
        Assert.Equal("cross-site", await ApiFixture.CodeAsync(await SendAsync(HttpMethod.Delete, "/api/v1/session", both, "forged")));
        Assert.Equal("cross-site",
            await ApiFixture.CodeAsync(await SendAsync(HttpMethod.Delete, "/api/v1/session", cookie.Split(';')[0], csrf)));
        Assert.Equal("cross-site",
            await ApiFixture.CodeAsync(await SendAsync(HttpMethod.Delete, "/api/v1/session", both, csrf, "http://evil.example")));
        Assert.Equal(HttpStatusCode.NoContent,
            (await SendAsync(HttpMethod.Delete, "/api/v1/session", both, csrf,
                market.Address.GetLeftPart(UriPartial.Authority))).StatusCode);
        Assert.Equal("session-ended", await ApiFixture.CodeAsync(await SendAsync(HttpMethod.Get, "/api/v1/session", both)));

        Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string cookies, string? token = null, string? origin = null)
        {
            HttpRequestMessage request = new(method, path);
            request.Headers.Add("Cookie", cookies);
            if (token is not null)
            {
                request.Headers.Add(AccessSetup.CsrfHeader, token);
            }

            if (origin is not null)
            {
                request.Headers.Add("Origin", origin);
            }

            return http.SendAsync(request);
        }
    }

    private sealed class Clock(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
