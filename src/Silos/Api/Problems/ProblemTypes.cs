using System.Collections.Frozen;
using System.Text;
using static Microsoft.AspNetCore.Http.StatusCodes;

namespace EmrMarket.Silos.Api.Problems;

/// <summary>What is said of a problem type to whoever asks.</summary>
internal sealed record ProblemTypeInfo
{
    /// <summary>The type's URI, relative to the server: <c>/problems/CODE</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The code, for programs.</summary>
    public required string Code { get; init; }

    /// <summary>The HTTP status that it comes with.</summary>
    public required int Status { get; init; }

    /// <summary>What it means.</summary>
    public required string Title { get; init; }

    /// <summary>What to do about it.</summary>
    public required string Fix { get; init; }

    /// <summary>Whether the same call may succeed later; such an answer has a Retry-After.</summary>
    public required bool Retry { get; init; }
}

/// <summary>The table of problem types: status, meaning and remedy of each, and the ways from type to code and back.</summary>
internal static class ProblemTypes
{
    /// <summary>What every type's URI begins with.</summary>
    public const string Prefix = "/problems/";

    private static readonly FrozenDictionary<ProblemType, ProblemTypeInfo> Table = Rows()
        .ToFrozenDictionary(row => row.Type, row => new ProblemTypeInfo
    {
        Type = Prefix + CodeOf(row.Type), Code = CodeOf(row.Type), Status = row.Status, Title = row.Title, Fix = row.Fix,
        Retry = row.Status is Status429TooManyRequests or Status503ServiceUnavailable
            || row.Type is ProblemType.NotReady or ProblemType.IdempotencyKeyInUse or ProblemType.UnknownTransaction,
    });

    private static readonly FrozenDictionary<string, ProblemType> ByCode = Enum.GetValues<ProblemType>()
        .ToFrozenDictionary(CodeOf, StringComparer.Ordinal);

    /// <summary>All types, in the order of the enum.</summary>
    public static IEnumerable<ProblemTypeInfo> All => Enum.GetValues<ProblemType>().Select(InfoOf);

    /// <summary>What is said of a type.</summary>
    public static ProblemTypeInfo InfoOf(this ProblemType type) => Table[type];

    /// <summary>The type of a code; null when there is none.</summary>
    public static ProblemType? Find(string code) => ByCode.TryGetValue(code, out ProblemType type) ? type : null;

    /// <summary>The type of a URI; null when there is none.</summary>
    public static ProblemType? FindUri(string uri) => uri.StartsWith(Prefix, StringComparison.Ordinal) ? Find(uri[Prefix.Length..]) : null;

    /// <summary>The type's name in kebab case.</summary>
    public static string CodeOf(ProblemType type)
    {
        StringBuilder code = new();
        foreach (char letter in type.ToString())
        {
            _ = char.IsAsciiLetterUpper(letter) && code.Length > 0
                ? code.Append('-').Append(char.ToLowerInvariant(letter)) : code.Append(char.ToLowerInvariant(letter));
        }

        return code.ToString();
    }

    private static IEnumerable<(ProblemType Type, int Status, string Title, string Fix)> Rows() =>
    [
        (ProblemType.MalformedRequest, Status400BadRequest, "The request cannot be read.",
            "Send what /api/v1/openapi.json describes: well-formed JSON with the members that it names and no others."),
        (ProblemType.InvalidValue, Status400BadRequest, "A value is not one that the call takes.",
            "Send a value of the form and range that is named."),
        (ProblemType.SignInRequired, Status401Unauthorized, "Nobody is signed in.",
            "Sign in (POST /api/v1/sign-in/challenges, then /api/v1/sign-in, or /api/v1/sign-in/password) and send the token as "
                + "Authorization: Bearer."),
        (ProblemType.SignInFailed, Status401Unauthorized, "The sign-in was refused.",
            "Check name, password and the newest code of the authenticator. After five failures an account rests for fifteen minutes."),
        (ProblemType.ChallengeRefused, Status401Unauthorized, "The signed message does not open a session.",
            "Ask for a new challenge, sign exactly its message with the key of its address, and hand it in once, before it expires."),
        (ProblemType.SessionEnded, Status401Unauthorized, "The session has ended.", "Sign in again."),
        (ProblemType.Forbidden, Status403Forbidden, "This session may not do that.",
            "Sign in as somebody who may: docs/API.md lists who may do what."),
        (ProblemType.CrossSite, Status403Forbidden, "The call seems to come from another site's page.",
            "With a cookie, send the csrf value of GET /api/v1/session as X-CSRF-Token with every call but GET and HEAD, from a page of "
                + "this server; or use a bearer token."),
        (ProblemType.NotFound, Status404NotFound, "There is nothing here.", "Look the path up in /api/v1/openapi.json."),
        (ProblemType.MethodNotAllowed, Status405MethodNotAllowed, "The path does not know this method.",
            "Use a method that the Allow header names."),
        (ProblemType.RequestTimeout, Status408RequestTimeout, "The body came too slowly.", "Send it again, over a faster connection."),
        (ProblemType.TooLarge, Status413PayloadTooLarge, "The body is larger than the call takes.",
            "Send less: 64 KiB for JSON, 512 MiB for record files."),
        (ProblemType.UnsupportedMediaType, Status415UnsupportedMediaType, "The call does not take this type of content.",
            "Send application/json; for record files text/csv, application/gzip or multipart/form-data, or with mapping "
                + "application/fhir+ndjson or application/fhir+json."),
        (ProblemType.IdempotencyKeyReused, Status422UnprocessableEntity, "The idempotency key belongs to another call.",
            "Use a new key for a new call; repeat a call with exactly the same body."),
        (ProblemType.IdempotencyKeyInUse, Status409Conflict, "A call with this idempotency key is under way.",
            "Repeat it later to get its answer."),
        (ProblemType.TooManyRequests, Status429TooManyRequests, "Too many calls.", "Wait as long as Retry-After says."),
        (ProblemType.NotReady, Status409Conflict, "It is not ready yet.", "Ask again after Retry-After."),
        (ProblemType.Unavailable, Status503ServiceUnavailable, "A part of the market cannot be reached.",
            "Repeat the call after Retry-After; GET /ready says whether it is back."),
        (ProblemType.Defect, Status500InternalServerError, "The program failed.",
            "This is a defect: please report the call and the trace id."),
        (ProblemType.InvalidInput, Status422UnprocessableEntity, "A file was refused; nothing of it was taken.",
            "Mend the lines that errors lists, and send the file again."),
        (ProblemType.Refused, Status400BadRequest, "The call was understood and refused.",
            "Repeating it will not help; detail says what is wrong."),
        (ProblemType.AccountExists, Status409Conflict, "There is an account of this name.",
            "Choose another name, or remove the account first."),
        (ProblemType.AccountUnknown, Status404NotFound, "There is no account of this name.", "GET /api/v1/accounts lists them."),
        (ProblemType.UnknownOperation, Status404NotFound, "There is no such operation of this session.",
            "Operations are forgotten a day after they ended, and when the process ends: start it again."),
        (ProblemType.UnknownProblem, Status404NotFound, "There is no problem type of this code.", "GET /api/v1/problems lists them."),

        (ProblemType.MalformedAddress, Status400BadRequest, "That is no address.", "Write 0x and 40 hexadecimal digits."),
        (ProblemType.MalformedHash, Status400BadRequest, "That is no hash.", "Write 64 lower-case hexadecimal digits."),
        (ProblemType.MalformedTransaction, Status400BadRequest, "That is no signed transaction.",
            "Write 0x and an even number of hexadecimal digits."),
        (ProblemType.NoMarket, Status404NotFound, "This process runs no market.", "Ask the market's own address."),
        (ProblemType.NotEmbedded, Status403Forbidden, "Only an embedded chain does that.", "On a consortium's chain ask the consortium."),
        (ProblemType.TransactionRefused, Status422UnprocessableEntity, "The chain does not take the transaction.",
            "Read GET /api/v1/ledger/accounts/ADDRESS, and sign again with its nonce, fee and chain id."),
        (ProblemType.UnknownBatch, Status404NotFound, "The ledger has no such batch, or its file is not here.",
            "List the batches under /api/v1/ledger."),
        (ProblemType.UnknownLeaf, Status404NotFound, "The batch has no such leaf.", "Name a position below the count of its header."),
        (ProblemType.UnknownPseudonym, Status404NotFound, "No epoch holds this pseudonym.",
            "Check its digits; it is in the ledger once its site posted an epoch with it."),
        (ProblemType.UnknownTransaction, Status404NotFound, "The transaction is in no block.",
            "If it was sent a moment ago, ask again after Retry-After."),
        (ProblemType.UnknownFile, Status404NotFound, "The market has no file of this hash.",
            "Headers on the ledger name the files by SHA-256."),
        (ProblemType.UnknownResults, Status404NotFound, "The request has no results.", "GET /api/v1/ledger/requests says how far it is."),
        (ProblemType.UnknownSite, Status404NotFound, "This process runs no such site.", "GET /api/v1/market names the sites that it runs."),
        (ProblemType.UnknownSchema, Status404NotFound, "This market does not deal in the schema.",
            "GET /api/v1/schemas lists the schemas."),
        (ProblemType.UnknownRequest, Status404NotFound, "There is no such request of yours.", "GET /api/v1/requests lists yours."),
        (ProblemType.DemandRefused, Status409Conflict, "The ledger would refuse this, so no call was written.",
            "GET /api/v1/ledger/demands says how the demands stand, the list of batches until when leaves can be demanded."),
        (ProblemType.NotAnAuditor, Status403Forbidden, "The ledger knows no auditor with this account.",
            "Ask the consortium to register it: emr chain auditor ADDRESS."),

        (ProblemType.Amount, Status400BadRequest, "That is no amount of token units.", "Write a whole number in decimal digits, as text."),
        (ProblemType.NotDelivered, Status409Conflict, "Nothing was delivered that could be evaluated.",
            "Read the request's steps: they say why."),
        (ProblemType.NotYours, Status403Forbidden, "The terms name another researcher.",
            "Open a request from the address that its terms name."),
        (ProblemType.Plan, Status400BadRequest, "The question cannot be planned.",
            "Mend what detail names: one of halfWidth, records and budget, and a statistic of the schema's attributes."),
        (ProblemType.Terms, Status400BadRequest, "The terms contradict themselves or the schema.", "Let POST /api/v1/terms write them."),
        (ProblemType.TermsJson, Status400BadRequest, "The terms are no JSON of the right members.", "Let POST /api/v1/terms write them."),
        (ProblemType.TermsForm, Status400BadRequest, "The terms are not in canonical form, so their hash would not be theirs.",
            "Hand in the text that POST /api/v1/terms answers with, byte by byte."),
        (ProblemType.RequestsPaused, Status409Conflict, "New requests are paused, so no call was written.",
            "Hand in the same terms later: GET /api/v1/market says when requests are taken again (requestsPaused)."),
        (ProblemType.LedgerTerms, Status422UnprocessableEntity, "The ledger would refuse these terms, so no call was written.",
            "Mend what detail names, and let POST /api/v1/terms write new terms."),
        (ProblemType.Funds, Status409Conflict, "The account cannot pay for it, so no call was written.",
            "Bring token units, and ether for the chain's fees, to the account that signs, and hand in the same terms again."),
        (ProblemType.FutureVersion, Status400BadRequest, "A document is of a version that this program does not know.",
            "Use a newer program."),
        (ProblemType.TooLate, Status409Conflict, "It is too late for that.", "What is not delivered goes back after the deadline."),

        (ProblemType.AccountChanged, Status409Conflict, "Another account was handed in since.",
            "Read the offer, and sign again with the controller that it names."),
        (ProblemType.AccountKnown, Status409Conflict, "The account was handed in before.", "Make a new seed, and hand in its account."),
        (ProblemType.AccountMalformed, Status400BadRequest, "The account is malformed.",
            "docs/WIRE.md, \"Patients' keys\", gives its form."),
        (ProblemType.CommandMalformed, Status400BadRequest, "The command is malformed.",
            "docs/WIRE.md, \"Patients' messages\", gives its form."),
        (ProblemType.RestoreOpen, Status409Conflict, "The site's store was put back from a backup, and it is held back.",
            "See where it stands: GET /api/v1/sites/{site}/restore, or './emr site reconcile'."),
        (ProblemType.CommandNonce, Status409Conflict, "The command's nonce is not the next one.",
            "Read the offer, and sign again with its nextNonce."),
        (ProblemType.CommandSignature, Status403Forbidden, "The signature is not the controller's.",
            "Sign with the key of the pseudonym, for this ledger, schema and pseudonym."),
        (ProblemType.NoPolicy, Status404NotFound, "There is no policy yet.", "Set one first (POST .../commands)."),
        (ProblemType.NobodyToPublish, Status409Conflict, "Nobody's offer can be published.",
            "Load records and set policies first; too small classes are not published."),
        (ProblemType.NotAdmitted, Status409Conflict, "The consortium has not admitted the site.",
            "Ask the consortium to register the site's account."),
        (ProblemType.PolicyColumns, Status400BadRequest, "The columns of policies have different lengths.",
            "Send one value per person in every column."),
        (ProblemType.PolicyInvalid, Status400BadRequest, "The policy is not on the menu.",
            "Read the menu: GET /api/v1/sites/SITE/menus/SCHEMA."),
        (ProblemType.PolicyShares, Status400BadRequest, "The shares do not fit the menu.",
            "Give one share in millionths per entry of the menu; they sum to 1,000,000."),
        (ProblemType.PublisherUnknown, Status404NotFound, "The site has no such pseudonym.",
            "Check site, schema and pseudonym: your wallet names them."),
        (ProblemType.QueryExpired, Status400BadRequest, "The signed question has expired.", "Sign a new one."),
        (ProblemType.QueryMalformed, Status400BadRequest, "The signed question is malformed.",
            "docs/WIRE.md, \"Patients' messages\", gives its form."),
        (ProblemType.RecordKnown, Status409Conflict, "A record was loaded before with other content.",
            "Load every record once, under a key of its own."),
        (ProblemType.RecordUnknown, Status404NotFound, "The site has no such record.", "Count records from 0, in the order of loading."),
        (ProblemType.Records, Status400BadRequest, "The records do not fit the schema.", "Check the file: emr schema check."),
        (ProblemType.Schema, Status400BadRequest, "The schema cannot be used.", "docs/SCHEMAS.md gives its form."),
        (ProblemType.PassphraseEmpty, Status400BadRequest, "A wallet needs a passphrase.", "Give one."),

        (ProblemType.UnknownOrder, Status404NotFound, "The market has no such order.", "Fetch the orders again."),
        (ProblemType.WrongOrder, Status400BadRequest, "The delivery is not the one that was ordered.", "Deliver the order as it stands."),
        (ProblemType.OrderContradictsLedger, Status409Conflict, "The order contradicts the ledger.",
            "Do not deliver; tell the consortium."),
        (ProblemType.WrongDelivery, Status422UnprocessableEntity, "The delivery is not as the round says.",
            "Deliver exactly what the round sells."),
        (ProblemType.WrongSite, Status403Forbidden, "The message is not of the site that hands it in.", "Hand in your own files only."),
        (ProblemType.WrongFile, Status400BadRequest, "That is a file of another kind.",
            "docs/WIRE.md, \"Exchanged files\", gives the forms."),
        (ProblemType.DamagedFile, Status400BadRequest, "The file was cut short or altered.", "Fetch or write it again."),
        (ProblemType.MalformedFile, Status400BadRequest, "The file is not as a writer would have written it.",
            "Write it with this program."),
        (ProblemType.RoundShape, Status400BadRequest, "The round file contradicts itself.", "Write it with this program."),
        (ProblemType.RoundInadmissible, Status400BadRequest, "The round sells what may not be sold.", "Decide the round again."),
        (ProblemType.RoundPhantom, Status400BadRequest, "The round sells what does not exist.", "Decide the round again."),

        (ProblemType.LinkMalformed, Status400BadRequest, "The message of a site is not of the link's form.",
            "docs/WIRE.md, \"Link between site and market\", gives it; see that nothing on the way cuts or alters bodies."),
        (ProblemType.LinkVersion, Status400BadRequest, "The message has a version of the link that is not spoken here.",
            "Bring both ends to the same version of the program."),
        (ProblemType.LinkTooLarge, Status413PayloadTooLarge, "The payload is larger than its kind may be.",
            "Deliver to fewer requests at once: a payload has 512 MiB at most."),
        (ProblemType.LinkWrongMarket, Status400BadRequest, "The message is for another market.",
            "Name the address of the market that the ledger names, or the right ledger."),
        (ProblemType.LinkSignature, Status401Unauthorized, "The signature is not the sender's for this message and ledger.",
            "Use the key of the account that was admitted, and the deployment file of this ledger."),
        (ProblemType.LinkTime, Status401Unauthorized, "The message was signed too long ago, or in the future.",
            "Set the clocks of both ends: they may differ by two minutes."),
        (ProblemType.LinkUnknownSite, Status403Forbidden, "The ledger knows no site with this account.",
            "Ask the consortium to admit it: emr chain admit."),
        (ProblemType.LinkReplayed, Status409Conflict, "The message was taken before.",
            "Sign it again with a nonce of its own; if you did not send it twice, somebody else did."),
    ];
}
