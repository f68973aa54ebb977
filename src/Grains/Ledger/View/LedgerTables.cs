using System.Globalization;
using System.Numerics;
using System.Text;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.Storage;

namespace EmrMarket.Grains.Ledger.View;

/// <summary>The tables: a pure function of the events in their order, whatever steps they came in.</summary>
internal sealed class LedgerTables
{
    public SortedDictionary<uint, SiteRow> Sites { get; } = [];

    public List<SchemaRow> Schemas { get; } = [];

    public RowList<Bytes32, EpochRow> Epochs { get; } = new();

    public SortedDictionary<ulong, RequestRow> Requests { get; } = [];

    public Dictionary<Bytes32, List<BookRow>> Books { get; } = [];

    public RowList<Bytes32, RoundRow> Rounds { get; } = new();

    public RowList<Bytes32, DeliveryRow> Deliveries { get; } = new();

    public Dictionary<ulong, List<Bytes32>> DeliveriesOfRequest { get; } = [];

    public Dictionary<Bytes32, SortedDictionary<uint, ClaimRow>> Claims { get; } = [];

    public SortedDictionary<ulong, EscrowRow> Escrows { get; } = [];

    public RowList<(uint Site, Bytes32 Pseudonym), RevocationRow> Revocations { get; } = new();

    public List<FindingRow> Findings { get; } = [];

    public RowList<(Bytes32 Batch, byte Kind, ulong Position), DemandRow> Demands { get; } = new();

    public SortedDictionary<string, Address> Auditors { get; } = new(StringComparer.Ordinal);

    public Dictionary<Address, BigInteger> Free { get; } = [];

    public bool RequestsPaused { get; private set; }

    /// <summary>Takes the next event; one that no table shows changes nothing.</summary>
    public void Apply(LedgerEvent logged)
    {
        if (ContractEvents.Decode(Log(logged)) is { } known)
        {
            _ = ApplyAccess(known, logged) || ApplyBatch(known, logged) || ApplyRequest(known, logged) || ApplyMoney(known);
        }
    }

    /// <summary>Every table, row by row: equal text means equal tables.</summary>
    public string Dump()
    {
        StringBuilder text = new();
        Table("sites", Sites.Values);
        Table("schemas", Schemas);
        Table("epochs", Epochs.Rows);
        Table("requests", Requests.Values);
        Table("books", Books.OrderBy(books => books.Key).SelectMany(books => books.Value));
        Table("rounds", Rounds.Rows);
        Table("deliveries", Deliveries.Rows);
        Table("claims", Claims.OrderBy(claims => claims.Key).SelectMany(claims => claims.Value.Values));
        Table("escrows", Escrows.Values);
        Table("revocations", Revocations.Rows);
        Table("findings", Findings);
        Table("demands", Demands.Rows);
        Table("auditors", Auditors.Values);
        Table("free", Free.Where(free => !free.Value.IsZero).OrderBy(free => free.Key.ToString(), StringComparer.Ordinal));
        Table("paused", [RequestsPaused]);
        return text.ToString();

        void Table<T>(string name, IEnumerable<T> rows)
        {
            foreach (T row in rows)
            {
                text.Append(CultureInfo.InvariantCulture, $"{name} {row}\n");
            }
        }
    }

    private static LogEntry Log(LedgerEvent logged)
    {
        Bytes32[] topics = new Bytes32[logged.Topics.Length / Bytes32.Length];
        for (int i = 0; i < topics.Length; i++)
        {
            topics[i] = new Bytes32(logged.Topics.AsSpan(i * Bytes32.Length, Bytes32.Length));
        }

        return new LogEntry(logged.Contract, topics, logged.Data, logged.BlockNumber, Bytes32.Zero, logged.TransactionHash, 0,
            logged.LogIndex);
    }

    private bool ApplyAccess(IContractEvent known, LedgerEvent logged)
    {
        switch (known)
        {
            case SiteRegisteredEvent site:
                Sites[site.Site] = new SiteRow(site.Site, site.Account, site.ProfileHash);
                return true;
            case RotationCompletedEvent rotated when Sites.TryGetValue(rotated.Subject, out SiteRow? site):
                Sites[rotated.Subject] = site with { Account = rotated.Account };
                return true;
            case RequestsPausedEvent paused:
                RequestsPaused = paused.Paused;
                return true;
            case PseudonymRevokedEvent revoked:
                Revocations.Set((revoked.Site, revoked.Pseudonym), new RevocationRow(revoked.Site, revoked.Pseudonym, revoked.RevokedAt));
                return true;
            case SchemaPublishedEvent schema:
                Schemas.Add(new SchemaRow(schema.SchemaId, schema.Attributes, schema.Grades, schema.Tiers, schema.CapMicro));
                return true;
            case AuditorSetEvent { Registered: true } admitted:
                Auditors[admitted.Auditor.ToString()] = admitted.Auditor;
                return true;
            case AuditorSetEvent removed:
                Auditors.Remove(removed.Auditor.ToString());
                return true;
            case FindingRecordedEvent finding:
                Findings.Add(new FindingRow(
                    finding.Site, (ulong)finding.Index, finding.Author, finding.Kind, finding.ContentHash, logged.BlockSeconds));
                return true;
            default:
                return false;
        }
    }

    private bool ApplyBatch(IContractEvent known, LedgerEvent logged)
    {
        switch (known)
        {
            case EpochPostedEvent epoch:
                Epochs.Set(epoch.EpochId, new EpochRow { Id = epoch.EpochId, Header = epoch.Header, Posting = Posted(epoch.Committer) });
                return true;
            case RoundCommittedEvent round:
                Rounds.Set(round.RoundId, new RoundRow { Id = round.RoundId, Header = round.Header, Posting = Posted(round.Committer) });
                return true;
            case DeliveryRecordedEvent delivery:
                Deliveries.Set(delivery.DeliveryId,
                    new DeliveryRow { Id = delivery.DeliveryId, Header = delivery.Header, Posting = Posted(delivery.Committer) });
                Of(DeliveriesOfRequest, delivery.Header.RequestId).Add(delivery.DeliveryId);
                return true;
            case SeedSealedEvent sealing:
                Rounds.Change(sealing.RoundId, round => round with { SealedBlockHash = sealing.BlockHash });
                return true;
            case SeedRevealedEvent revealed:
                Rounds.Change(revealed.RoundId, round => round with { Seed = revealed.Seed });
                return true;
            case BatchFinalisedEvent final:
                End(final.BatchId, BatchStatus.Final, BatchFault.None, null, logged);
                return true;
            case BatchVoidedEvent voided:
                End(voided.BatchId, BatchStatus.Void, (BatchFault)voided.Fault, voided.Challenger, logged);
                return true;
            case LeafDemandedEvent demand:
                Demands.Set((demand.BatchId, demand.Kind, demand.Position),
                    new DemandRow(demand.BatchId, demand.Kind, demand.Position, demand.Demander, demand.AnswerBy)
                    {
                        DemandedBlock = logged.BlockNumber,
                    });
                return true;
            case LeafAnsweredEvent answer:
                Demands.Change((answer.BatchId, answer.Kind, answer.Position), demand => demand with
                {
                    End = DemandEnd.Answered, Responder = answer.Responder, EndedSeconds = logged.BlockSeconds,
                });
                return true;
            case DemandReclaimedEvent reclaimed:
                Demands.Change((reclaimed.BatchId, reclaimed.Kind, reclaimed.Position), demand => demand with
                {
                    End = DemandEnd.Reclaimed, EndedSeconds = logged.BlockSeconds,
                });
                return true;
            default:
                return false;
        }

        Posting Posted(Address committer) => new(committer, logged.BlockSeconds, logged.BlockNumber);
    }

    private void End(Bytes32 id, BatchStatus status, BatchFault fault, Address? challenger, LedgerEvent logged)
    {
        Epochs.Change(id, Ended);
        Rounds.Change(id, Ended);
        Deliveries.Change(id, Ended);

        T Ended<T>(T batch)
            where T : BatchRow => batch with
            {
                Status = status, Fault = fault, Challenger = challenger, EndedSeconds = logged.BlockSeconds,
                EndedBlock = logged.BlockNumber,
            };
    }

    private bool ApplyRequest(IContractEvent known, LedgerEvent logged)
    {
        switch (known)
        {
            case RequestOpenedEvent opened:
                Requests[opened.RequestId] = new RequestRow
                {
                    RequestId = opened.RequestId,
                    Researcher = opened.Researcher,
                    Book = opened.Book,
                    Index = opened.Index,
                    Capacity = opened.Capacity,
                    Terms = opened.Terms,
                    OpenedSeconds = logged.BlockSeconds,
                    OpenedBlock = logged.BlockNumber,
                };
                return true;
            case RequestCancelledEvent cancelled:
                Requests[cancelled.RequestId] = Requests[cancelled.RequestId] with { Cancelled = true };
                return true;
            case BookClosedEvent book:
                Of(Books, book.SchemaId).Add(new BookRow(book.SchemaId, book.Ordinal, book.RequestCount, book.ClosedAt, book.ClosedBlock));
                return true;
            default:
                return false;
        }
    }

    private bool ApplyMoney(IContractEvent known)
    {
        switch (known)
        {
            case FundedEvent funded:
                Escrows[funded.RequestId] = new EscrowRow { RequestId = funded.RequestId, Funded = funded.Amount };
                return true;
            case ReservedEvent reserved:
                ChangeFree(reserved.Committer, -reserved.Bond);
                return ChangeEscrow(reserved.RequestId, escrow => escrow with { Reserved = escrow.Reserved + reserved.Amount });
            case UnreservedEvent unreserved:
                return ChangeEscrow(unreserved.RequestId, escrow => escrow with { Reserved = escrow.Reserved - unreserved.Amount });
            case SettledEvent settled:
                return ChangeEscrow(settled.RequestId, escrow => escrow with { Settled = escrow.Settled + 1 });
            case RefundedEvent refunded:
                return ChangeEscrow(refunded.RequestId, escrow => escrow with { Refunded = refunded.Amount, IsClosed = true });
            case ExpiredEvent expired:
                return ChangeEscrow(expired.RequestId, escrow => escrow with { Expired = expired.Amount });
            case ClaimedEvent claimed:
                Claim(claimed);
                return true;
            case DepositedEvent deposited:
                return ChangeFree(deposited.Account, deposited.Amount);
            case WithdrawnEvent withdrawn:
                return ChangeFree(withdrawn.Account, -withdrawn.Amount);
            case LockedEvent locked:
                return ChangeFree(locked.Account, -locked.Amount);
            case UnlockedEvent unlocked:
                return ChangeFree(unlocked.Account, unlocked.Amount);
            case SlashedEvent slashed:
                return ChangeFree(slashed.Beneficiary, slashed.Reward);
            default:
                return false;
        }
    }

    private void Claim(ClaimedEvent claimed)
    {
        if (!Claims.TryGetValue(claimed.DeliveryId, out SortedDictionary<uint, ClaimRow>? claims))
        {
            Claims.Add(claimed.DeliveryId, claims = []);
        }

        claims[claimed.Slot] = new ClaimRow(claimed.DeliveryId, claimed.Slot, claimed.Payee, (UInt128)claimed.Amount);
        Deliveries.Change(claimed.DeliveryId, delivery => delivery with { Claimed = (uint)claims.Count });
        if (Deliveries.Find(claimed.DeliveryId) is { } of)
        {
            ChangeEscrow(of.Header.RequestId, escrow => escrow with { Claimed = escrow.Claimed + claimed.Amount });
        }
    }

    private bool ChangeEscrow(ulong requestId, Func<EscrowRow, EscrowRow> change)
    {
        Escrows[requestId] = change(Escrows[requestId]);
        return true;
    }

    private bool ChangeFree(Address account, BigInteger amount)
    {
        Free[account] = Free.GetValueOrDefault(account) + amount;
        return true;
    }

    private static List<TRow> Of<TKey, TRow>(Dictionary<TKey, List<TRow>> lists, TKey key)
        where TKey : notnull
    {
        if (!lists.TryGetValue(key, out List<TRow>? list))
        {
            lists.Add(key, list = []);
        }

        return list;
    }
}

/// <summary>Rows in the order in which they came, found by a key.</summary>
internal sealed class RowList<TKey, TRow>
    where TKey : notnull
    where TRow : class
{
    private readonly OrderedDictionary<TKey, TRow> _rows = [];

    public IEnumerable<TRow> Rows => _rows.Values;

    /// <summary>The rows, the last one first.</summary>
    public IEnumerable<TRow> Newest
    {
        get
        {
            for (int i = _rows.Count - 1; i >= 0; i--)
            {
                yield return _rows.GetAt(i).Value;
            }
        }
    }

    public TRow? Find(TKey key) => _rows.GetValueOrDefault(key);

    public void Set(TKey key, TRow row) => _rows[key] = row;

    public void Change(TKey key, Func<TRow, TRow> change)
    {
        int index = _rows.IndexOf(key);
        if (index >= 0)
        {
            _rows.SetAt(index, change(_rows.GetAt(index).Value));
        }
    }
}
