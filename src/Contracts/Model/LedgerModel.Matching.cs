using System.Numerics;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Model;

/// <content>MatchingDecision: requests, books, rounds and their challenges.</content>
public sealed partial class LedgerModel
{
    private const ulong LongestLead = 366 * 86_400;
    private const int MaximumSiteBits = 10;
    private const int MaximumRequestBits = 20;
    private const ulong SeedDelay = 2;
    private const ulong RememberedBlocks = 256;

    private readonly List<Request> _requests = [];
    private readonly Dictionary<(Address Researcher, Bytes32 Reference), ulong> _references = [];
    private readonly Dictionary<Bytes32, List<Book>> _books = [];
    private readonly Dictionary<(Bytes32 Schema, uint Ordinal), Bytes32> _finalRounds = [];

    private ulong MinimumLead =>
        (ulong)_parameters.BookInterval + _parameters.RoundWindow + _parameters.RevealGrace + _parameters.DeliveryWindow;

    /// <summary>Number of requests ever opened; their ids are 1, 2, 3, ...</summary>
    public ulong RequestCount => (ulong)_requests.Count;

    /// <summary>A stored request.</summary>
    public Request RequestOf(ulong requestId) => _requests[(int)requestId - 1];

    /// <summary>Ordinal of the book that new requests of a schema join.</summary>
    public uint OpenBook(Bytes32 schemaId) => (uint)Math.Max(0, Books(schemaId).Count - 1);

    /// <summary>The seed of a final round; zero before.</summary>
    public Bytes32 SeedOf(Bytes32 roundId) => _batches.GetValueOrDefault(roundId)?.Seed ?? Bytes32.Zero;

    /// <summary>Opens and funds a request.</summary>
    public void OpenRequest(CallContext context, RequestTerms terms)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(terms);
        ulong earliest = context.Timestamp + MinimumLead;
        ulong latest = context.Timestamp + LongestLead;
        ulong existing = _references.GetValueOrDefault((context.Sender, terms.ClientReference));
        Rules rules = new Rules()
            .Require(!Paused, "RequestsPaused")
            .Require(existing == 0, "RequestExists", existing)
            .Require(terms.Deadline >= earliest, "DeadlineTooEarly", (BigInteger)terms.Deadline, (BigInteger)earliest)
            .Require(terms.Deadline <= latest, "DeadlineTooLate", (BigInteger)terms.Deadline, (BigInteger)latest)
            .Require(terms.Budget >= _parameters.MinimumBudget, "BudgetTooSmall", (BigInteger)terms.Budget,
                (BigInteger)_parameters.MinimumBudget);
        RequireTokens(context.Sender, terms.Budget, rules);
        ModelSchema? schema = _schemas.GetValueOrDefault(terms.SchemaId);
        rules.Require(schema is not null, "UnknownSchema", terms.SchemaId);
        uint capacity = 0;
        if (schema is not null)
        {
            int? invalid = schema.InvalidAttribute(terms.MinimumGrades, terms.TopGrades);
            rules.Require(invalid is null, "InvalidGrades", (BigInteger)(invalid ?? 0))
                .Require(invalid is null, "GradesOutOfRange", (BigInteger)(invalid ?? 0));
            if (invalid is null)
            {
                capacity = CapacityOf(schema, terms);
                uint least = Math.Max(1, terms.MinimumRecords);
                rules.Require(capacity >= least, "CapacityTooSmall", (BigInteger)capacity, (BigInteger)least);
            }
        }

        rules.Check();
        List<Book> books = Books(terms.SchemaId);
        if (books.Count == 0)
        {
            books.Add(new Book(0, 0, 0, 0));
        }

        uint ordinal = (uint)books.Count - 1;
        uint index = books[^1].RequestCount;
        ulong id = RequestCount + 1;
        books[^1] = books[^1] with { RequestCount = index + 1, FirstRequest = index == 0 ? id : books[^1].FirstRequest };
        _requests.Add(new Request(
            terms.SchemaId, terms.MinimumGrades, terms.TopGrades, terms.PublicCell, context.Sender, terms.Deadline, books[^1].FirstRequest,
            terms.Bid, capacity, terms.MinimumRecords, ordinal, index, terms.Purpose, false));
        _references.Add((context.Sender, terms.ClientReference), RequestCount);
        _events.Add(new RequestOpenedEvent(RequestCount, context.Sender, terms.SchemaId, ordinal, index, capacity, terms));
        Fund(RequestCount, context.Sender, terms.Budget);
    }

    /// <summary>Cancels a request while its book is open.</summary>
    public void CancelRequest(CallContext context, ulong requestId)
    {
        ArgumentNullException.ThrowIfNull(context);
        bool exists = requestId >= 1 && requestId <= RequestCount;
        new Rules().Require(exists, "UnknownRequest", requestId).Require(exists, "Unauthorised", context.Sender).Check();
        Request request = RequestOf(requestId);
        new Rules()
            .Require(request.Researcher == context.Sender, "Unauthorised", context.Sender)
            .Require(request.Book == OpenBook(request.SchemaId), "BookIsClosed", requestId)
            .Require(!request.Cancelled, "AlreadyCancelled", requestId)
            .Require(!_escrows[requestId].Closed, "EscrowClosed", requestId)
            .Check();
        _requests[(int)requestId - 1] = request with { Cancelled = true };
        _events.Add(new RequestCancelledEvent(requestId));
        Close(requestId, request);
    }

    /// <summary>Closes the open book of a schema.</summary>
    public void CloseBook(CallContext context, Bytes32 schemaId)
    {
        ArgumentNullException.ThrowIfNull(context);
        List<Book> books = Books(schemaId);
        uint ordinal = OpenBook(schemaId);
        Book book = books.Count > 0 ? books[^1] : new Book(0, 0, 0, 0);
        ulong until = ordinal > 0 ? books[^2].ClosedAt + _parameters.BookInterval : 0;
        new Rules()
            .Require(context.Sender == Market, "Unauthorised", context.Sender)
            .Require(book.RequestCount > 0, "BookEmpty", schemaId, ordinal)
            .Require(context.Timestamp >= until, "BookOpenUntil", schemaId, (BigInteger)until)
            .Check();
        books[^1] = book with { ClosedAt = context.Timestamp, ClosedBlock = context.BlockNumber };
        books.Add(new Book(0, 0, 0, 0));
        _events.Add(new BookClosedEvent(schemaId, ordinal, book.RequestCount, context.Timestamp, context.BlockNumber));
    }

    /// <summary>Posts the round of a closed book.</summary>
    public void CommitRound(CallContext context, RoundHeader header)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(header);
        List<Book> books = Books(header.SchemaId);
        bool closed = header.Ordinal + 1 < books.Count;
        Rules rules = new Rules()
            .Require(context.Sender == Market, "Unauthorised", context.Sender)
            .Require(closed, "BookNotClosed", header.SchemaId, header.Ordinal)
            .Require(header.SiteBits <= MaximumSiteBits && SiteCount <= BigInteger.One << header.SiteBits, "InvalidHeader", "siteBits")
            .Require(
                header.ClassBits <= MaximumClassDepth
                    && _maximumClassCount.GetValueOrDefault(header.SchemaId) <= BigInteger.One << header.ClassBits,
                "InvalidHeader", "classBits")
            .Require(
                header.RequestBits <= MaximumRequestBits
                    && (!closed || books[(int)header.Ordinal].RequestCount <= BigInteger.One << header.RequestBits),
                "InvalidHeader", "requestBits");
        if (header.Attempt > 0)
        {
            Bytes32 previous = RoundId(header with { Attempt = header.Attempt - 1 });
            rules.Require(_batches.GetValueOrDefault(previous)?.Status == BatchStatus.Void, "PreviousAttemptStands", previous);
        }

        Bytes32 id = RoundId(header);
        Posting posting = PostingOf(context);
        PostWithBond(id, new Round(header, posting), posting, _parameters.RoundBond, rules);
        _events.Add(new RoundCommittedEvent(id, header.SchemaId, header.Ordinal, header, context.Sender));
    }

    /// <summary>Stores the hash of the block two after the commitment.</summary>
    public void SealSeed(CallContext context, Round round)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        ulong block = round.Posting.BlockNumber + SeedDelay;
        new Rules()
            .Require(batch.SealedHash == Bytes32.Zero, "SeedAlreadySealed", id)
            .Require(context.BlockNumber > block, "SeedBlockPending", (BigInteger)block)
            .Require(context.BlockNumber <= block + RememberedBlocks, "SeedBlockGone", (BigInteger)block)
            .Check();
        batch.SealedHash = _blockHash(block) ?? throw new InvalidOperationException($"block {block} is not known to the model's chain");
        _events.Add(new SeedSealedEvent(id, batch.SealedHash));
    }

    /// <summary>Voids a round whose block hash was not sealed in time.</summary>
    public void VoidUnsealed(CallContext context, Round round)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        ulong block = round.Posting.BlockNumber + SeedDelay;
        new Rules()
            .Require(batch.SealedHash == Bytes32.Zero, "SeedAlreadySealed", id)
            .Require(context.BlockNumber > block + RememberedBlocks, "SeedBlockPending", (BigInteger)(block + RememberedBlocks))
            .Check();
        Void(id, batch, BatchFault.SeedNotSealed, context.Sender, _parameters.RoundBond);
    }

    /// <summary>Voids a round whose seed was not revealed in time.</summary>
    public void VoidUnrevealed(CallContext context, Round round)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        ulong until = round.Posting.Timestamp + _parameters.RoundWindow + _parameters.RevealGrace;
        new Rules().Require(context.Timestamp > until, "WindowOpen", id, (BigInteger)until).Check();
        Void(id, batch, BatchFault.SeedNotRevealed, context.Sender, _parameters.RoundBond);
    }

    /// <summary>Makes an unchallenged round final and fixes its seed.</summary>
    public void FinaliseRound(CallContext context, Round round, Bytes32 reveal)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        Bytes32 commit = Drawing.SeedCommit(reveal);
        Rules rules = new Rules()
            .Require(batch.SealedHash != Bytes32.Zero, "SeedNotSealedYet", id)
            .Require(commit == round.Header.SeedCommit, "WrongReveal", round.Header.SeedCommit, commit);
        Finalise(id, batch, context, _parameters.RoundWindow, _parameters.RoundBond, rules);
        batch.Seed = Drawing.Seed(reveal, batch.SealedHash);
        _finalRounds.Add((round.Header.SchemaId, round.Header.Ordinal), id);
        _events.Add(new SeedRevealedEvent(id, batch.Seed));
    }

    /// <summary>E1, E2, E5 and E6 of one class and request.</summary>
    public void ChallengePair(
        CallContext context, Round round, ClassEvidence @class, PriceOpening price, RequestOpening request, SalesOpening sale)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(sale);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        uint c = RequireEvidence(round, @class);
        RequirePrice(id, round.Header, c, price);
        Request stored = RequireSurplus(id, round.Header, request);
        RequireByClass(id, round.Header, c, stored.Index, sale);
        ClassLeaf leaf = @class.Class.Leaf;
        bool active = !stored.Cancelled && !request.Leaf.Dropped;
        BigInteger? weight = Weight(leaf, stored);
        BigInteger prices = (BigInteger)price.Leaf.Premium + request.Leaf.Surplus;
        BatchFault fault = sale.Quantity > 0 && (weight is null || !active) ? BatchFault.Inadmissible
            : sale.Quantity > leaf.Size ? BatchFault.QuantityExceeded
            : sale.Quantity > 0 && weight < prices ? BatchFault.Overcharge
            : active && weight is not null && sale.Quantity < leaf.Size && weight > prices ? BatchFault.BlockingPair
            : BatchFault.None;
        VoidRound(context, id, batch, fault);
    }

    /// <summary>E3 and E5 of one class.</summary>
    public void ChallengeClass(CallContext context, Round round, ClassEvidence @class, PriceOpening price, RowOpening row)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(row);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        uint c = RequireEvidence(round, @class);
        RequirePrice(id, round.Header, c, price);
        new Rules().RequireOpening(OpensRow(round.Header.SalesByClassRoot, round.Header, round.Header.RequestBits, c, row)).Check();
        ulong supply = (ulong)@class.Class.Leaf.Size * @class.Class.Leaf.Quota;
        BatchFault fault = row.Sum > supply ? BatchFault.QuantityExceeded
            : price.Leaf.Premium > 0 && row.Sum < supply ? BatchFault.UnsoldPremium
            : BatchFault.None;
        VoidRound(context, id, batch, fault);
    }

    /// <summary>E4, E5 and dropping of one request.</summary>
    public void ChallengeRequest(CallContext context, Round round, RequestOpening request, RowOpening row)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(row);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        Request stored = RequireSurplus(id, round.Header, request);
        RequireRequestRow(round.Header, stored.Index, row);
        RequestLeaf leaf = request.Leaf;
        bool wronglyDropped = leaf.Dropped && (stored.MinimumRecords == 0 || row.Sum > 0 || leaf.Surplus > 0);
        bool wronglyKept = !leaf.Dropped && !stored.Cancelled && row.Sum < stored.MinimumRecords;
        BatchFault fault = wronglyDropped || wronglyKept ? BatchFault.Dropping
            : row.Sum > stored.Capacity ? BatchFault.QuantityExceeded
            : leaf.Surplus > 0 && row.Sum < stored.Capacity ? BatchFault.UnfilledSurplus
            : BatchFault.None;
        VoidRound(context, id, batch, fault);
    }

    /// <summary>E7: the two sales trees differ.</summary>
    public void ChallengeSymmetry(
        CallContext context, Round round, uint classPosition, uint requestIndex, SalesOpening byClass, SalesOpening byRequest)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(byClass);
        ArgumentNullException.ThrowIfNull(byRequest);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        RequireByClass(id, round.Header, classPosition, requestIndex, byClass);
        RequireByRequest(id, round.Header, classPosition, requestIndex, byRequest);
        VoidRound(context, id, batch, byClass.Quantity != byRequest.Quantity ? BatchFault.SalesDiffer : BatchFault.None);
    }

    /// <summary>E8: a premium that its named support does not hold up. All evidence is given.</summary>
    public void ChallengeSupport(
        CallContext context, Round round, ClassEvidence @class, PriceOpening price, RequestOpening request, SalesOpening sale,
        RowOpening row, ClassEvidence supportClass, PriceOpening supportPrice, SalesOpening supportSale)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(price);
        ArgumentNullException.ThrowIfNull(sale);
        ArgumentNullException.ThrowIfNull(row);
        ArgumentNullException.ThrowIfNull(supportPrice);
        ArgumentNullException.ThrowIfNull(supportSale);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        RoundHeader header = round.Header;
        uint c = RequireEvidence(round, @class);
        RequirePrice(id, header, c, price);
        new Rules().Require(price.Leaf.Premium > 0, "NoFault").Check();
        if (price.Leaf.SupportRequest >= Books(header.SchemaId)[(int)header.Ordinal].RequestCount)
        {
            VoidRound(context, id, batch, BatchFault.UnsupportedPremium);
            return;
        }

        Request stored = RequireSurplus(id, header, request);
        new Rules().Require(stored.Index == price.Leaf.SupportRequest, "Unrelated").Check();
        RequireByClass(id, header, c, stored.Index, sale);
        BigInteger v = request.Leaf.Surplus;
        bool active = !stored.Cancelled && !request.Leaf.Dropped;
        bool holds = active && Weight(@class.Class.Leaf, stored) == (BigInteger)price.Leaf.Premium + v
            && sale.Quantity < @class.Class.Leaf.Size;
        if (holds)
        {
            RequireRequestRow(header, stored.Index, row);
            if (row.Sum >= stored.Capacity)
            {
                holds = Supports(round, id, price.Leaf, stored, v, supportClass, supportPrice, supportSale);
            }
        }

        VoidRound(context, id, batch, holds ? BatchFault.None : BatchFault.UnsupportedPremium);
    }

    // The named class sells to the request at no gain, and needs no support itself or ranks below. One that sells nothing need not even
    // exist.
    private bool Supports(
        Round round, Bytes32 id, PriceLeaf price, Request request, BigInteger surplus, ClassEvidence evidence, PriceOpening supportPrice,
        SalesOpening supportSale)
    {
        RoundHeader header = round.Header;
        if (price.SupportClass >> PositionBits(header) != 0)
        {
            return false;
        }

        RequireByClass(id, header, price.SupportClass, request.Index, supportSale);
        if (supportSale.Quantity == 0)
        {
            return false;
        }

        new Rules().Require(RequireEvidence(round, evidence) == price.SupportClass, "Unrelated").Check();
        RequirePrice(id, header, price.SupportClass, supportPrice);
        return Weight(evidence.Class.Leaf, request) == (BigInteger)supportPrice.Leaf.Premium + surplus
            && (supportPrice.Leaf.Premium == 0 || supportPrice.Leaf.Rank < price.Rank);
    }

    /// <summary>A sale by a class, or to a request, that does not exist.</summary>
    public void ChallengePhantom(CallContext context, Round round, uint classPosition, uint requestIndex, SalesOpening sale, Epoch epoch)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(sale);
        ArgumentNullException.ThrowIfNull(epoch);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        RoundHeader header = round.Header;
        RequireByClass(id, header, classPosition, requestIndex, sale);
        new Rules().Require(sale.Quantity > 0, "NoFault").Check();
        Book book = Books(header.SchemaId)[(int)header.Ordinal];
        uint site = (classPosition >> header.ClassBits) + 1;
        uint index = classPosition & ((1u << header.ClassBits) - 1);
        bool phantom = requestIndex >= book.RequestCount || site > SiteCount || CurrentEpoch(site, header.SchemaId, book.ClosedBlock) == 0;
        if (!phantom)
        {
            new Rules().Require(epoch.Header.Site == site, "Unrelated").Check();
            RequireCurrent(epoch, header.SchemaId, book.ClosedBlock);
            phantom = index >= epoch.Header.ClassCount;
        }

        VoidRound(context, id, batch, phantom ? BatchFault.Phantom : BatchFault.None);
    }

    /// <summary>Demands a leaf of C (3), J (4), X (5) or Y (6).</summary>
    public void DemandRoundLeaf(CallContext context, Round round, byte kind, ulong position)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(round);
        RoundHeader header = round.Header;
        int? depth = (LeafKind)kind switch
        {
            LeafKind.Price => PositionBits(header),
            LeafKind.Surplus => header.RequestBits,
            LeafKind.SalesByClass or LeafKind.SalesByRequest => SalesDepth(header),
            _ => null,
        };
        new Rules().Require(depth is not null, "UnknownKind", kind).Gather(() => PostedRound(round)).Check();
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        Demand(id, batch, context, kind, position, depth!.Value, _parameters.RoundWindow, new Rules());
    }

    /// <summary>Opens a demanded leaf of C.</summary>
    public void AnswerPrice(CallContext context, Round round, PriceOpening price)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(price);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        RequirePrice(id, round.Header, price.Position, price);
        Answer(id, batch, context, (byte)LeafKind.Price, price.Position);
    }

    /// <summary>Opens a demanded leaf of J.</summary>
    public void AnswerRequest(CallContext context, Round round, uint position, RequestOpening request)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(request);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        new Rules().RequireOpening(OpensSurplus(id, round.Header, position, request)).Check();
        Answer(id, batch, context, (byte)LeafKind.Surplus, position);
    }

    /// <summary>Opens a demanded leaf of X (5) or Y (6).</summary>
    public void AnswerSales(CallContext context, Round round, byte kind, ulong position, SalesOpening sale)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(sale);
        new Rules().Require((LeafKind)kind is LeafKind.SalesByClass or LeafKind.SalesByRequest, "UnknownKind", kind)
            .Gather(() => PostedRound(round)).Check();
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        new Rules().RequireOpening(OpensSale(id, round.Header, (LeafKind)kind, position, sale)).Check();
        Answer(id, batch, context, kind, position);
    }

    /// <summary>Voids a round whose demand stayed unanswered.</summary>
    public void VoidUnansweredRound(CallContext context, Round round, byte kind, ulong position)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedRound(round);
        VoidUnanswered(id, batch, context, kind, position, _parameters.RoundBond);
    }

    private static int PositionBits(RoundHeader header) => header.SiteBits + header.ClassBits;

    private static int SalesDepth(RoundHeader header) => PositionBits(header) + header.RequestBits;

    private static bool OpensSale(Bytes32 id, RoundHeader header, LeafKind kind, ulong position, SalesOpening sale) => Proves(
        kind == LeafKind.SalesByClass ? header.SalesByClassRoot : header.SalesByRequestRoot, header.TotalSales,
        SalesDepth(header), position, Leaves.Sales(kind, id, position, sale.Quantity), sale.Path);

    private static void RequireByClass(Bytes32 id, RoundHeader header, uint c, uint j, SalesOpening sale)
    {
        new Rules().Require(j >> header.RequestBits == 0, "Unrelated").Check();
        new Rules().RequireOpening(OpensSale(id, header, LeafKind.SalesByClass, ((ulong)c << header.RequestBits) | j, sale)).Check();
    }

    private static void RequireByRequest(Bytes32 id, RoundHeader header, uint c, uint j, SalesOpening sale)
    {
        new Rules().Require(c >> PositionBits(header) == 0, "Unrelated").Check();
        new Rules().RequireOpening(OpensSale(id, header, LeafKind.SalesByRequest, ((ulong)j << PositionBits(header)) | c, sale)).Check();
    }

    private static bool OpensRow(Bytes32 root, RoundHeader header, int height, ulong index, RowOpening row) =>
        Proves(root, header.TotalSales, SalesDepth(header) - height, index, new TreeNode(row.Hash, new SumWord(row.Sum)), row.Path);

    private static void RequireRequestRow(RoundHeader header, uint index, RowOpening row) =>
        new Rules().RequireOpening(OpensRow(header.SalesByRequestRoot, header, PositionBits(header), index, row)).Check();

    private static void RequirePrice(Bytes32 id, RoundHeader header, uint position, PriceOpening price)
    {
        new Rules().Require(price.Position == position, "Unrelated").Check();
        TreeNode node = Leaves.Price(id, position, price.Leaf);
        new Rules()
            .RequireOpening(ZeroIfEmpty(node, price.Leaf == RoundBatch.NoPremium)
                && Proves(header.PricesRoot, 0, PositionBits(header), position, node, price.Path))
            .Check();
    }

    private static bool OpensSurplus(Bytes32 id, RoundHeader header, uint index, RequestOpening request) =>
        Proves(header.RequestsRoot, 0, header.RequestBits, index, Leaves.Surplus(id, index, request.Leaf), request.Path);

    private uint CapacityOf(ModelSchema schema, RequestTerms terms)
    {
        BigInteger each = ModelSchema.Value(terms.Bid, schema.MaximumScore(terms.MinimumGrades, terms.TopGrades)) + _parameters.RelayFee;
        return each.IsZero ? terms.TargetRecords : (uint)BigInteger.Min(terms.TargetRecords, (BigInteger)terms.Budget / each);
    }

    // w, or null when the class is not admissible for the request.
    private BigInteger? Weight(ClassLeaf leaf, Request request)
    {
        bool terms = !request.Cancelled && leaf.ExpiresAt >= request.Deadline && ((leaf.Purposes >> request.Purpose) & 1) == 1
            && (request.PublicCell == Bytes32.Zero || request.PublicCell == leaf.PublicCell);
        return terms && _schemas[request.SchemaId].Quote(leaf.Ceilings, leaf.Rates, request.MinimumGrades, request.TopGrades) is { } quote
            ? ModelSchema.Value(request.Bid, quote.Score) - quote.Ask
            : null;
    }

    private Request RequireSurplus(Bytes32 id, RoundHeader header, RequestOpening opening)
    {
        ArgumentNullException.ThrowIfNull(opening);
        Request request = RequireRequest(opening.RequestId);
        new Rules().Require(request.SchemaId == header.SchemaId && request.Book == header.Ordinal, "Unrelated").Check();
        new Rules().RequireOpening(OpensSurplus(id, header, request.Index, opening)).Check();
        return request;
    }

    private Request RequireRequest(ulong requestId)
    {
        new Rules().Require(requestId >= 1 && requestId <= RequestCount, "UnknownRequest", requestId).Check();
        return RequestOf(requestId);
    }

    // The class's position in the round; its epoch was the site's current one when the book was closed.
    private uint RequireEvidence(Round round, ClassEvidence evidence)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        RoundHeader header = round.Header;
        Bytes32 epochId = RequireCurrent(evidence.Epoch, header.SchemaId, Books(header.SchemaId)[(int)header.Ordinal].ClosedBlock);
        RequireClass(epochId, evidence.Epoch.Header, evidence.Class);
        new Rules().Require(evidence.Class.Index >> header.ClassBits == 0, "Unrelated").Check();
        return ((evidence.Epoch.Header.Site - 1) << header.ClassBits) | evidence.Class.Index;
    }

    private Bytes32 RequireCurrent(Epoch epoch, Bytes32 schemaId, ulong block)
    {
        EpochHeader header = epoch.Header;
        new Rules().Require(header.SchemaId == schemaId, "Unrelated").Check();
        new Rules()
            .Require(
                header.Epoch > 0 && CurrentEpoch(header.Site, schemaId, block) == header.Epoch, "NotCurrentEpoch", header.Site, schemaId,
                header.Epoch, (BigInteger)block)
            .Check();
        Bytes32 id = EpochId(header.Site, schemaId, header.Epoch);
        Known(id, epoch);
        return id;
    }

    private void VoidRound(CallContext context, Bytes32 id, ModelBatch batch, BatchFault fault)
    {
        new Rules().Require(fault != BatchFault.None, "NoFault").Check();
        Void(id, batch, fault, context.Sender, _parameters.RoundBond);
    }

    private (Bytes32 Id, ModelBatch Batch) PostedRound(Round round)
    {
        ArgumentNullException.ThrowIfNull(round);
        Bytes32 id = RoundId(round.Header);
        return (id, Posted(id, round));
    }

    private Bytes32 RoundId(RoundHeader header) =>
        BatchId.Round(_chainId, _contracts.Matching, header.SchemaId, header.Ordinal, header.Attempt);

    private List<Book> Books(Bytes32 schemaId)
    {
        if (!_books.TryGetValue(schemaId, out List<Book>? books))
        {
            _books.Add(schemaId, books = []);
        }

        return books;
    }
}
