using System.Numerics;
using System.Reflection;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;
using Sale = EmrMarket.Contracts.Batches.Sale;

namespace EmrMarket.Contracts.Tests.Batches;

/// <summary>No challenge of the contracts is out of an auditor's reach: each is made from the leaves of some batch.</summary>
public sealed class ChallengeKindsTests
{
    private const ulong ChainId = 31337;
    private static readonly Bytes32 SchemaId = Keccak256.Hash("schema");
    private static readonly Posting Posting = new(Address.Parse("0x00000000000000000000000000000000000000bb"), 1_000, 10);
    private static readonly DynamicAccessControl Access = new(null!, Address.Parse("0x0000000000000000000000000000000000000001"));
    private static readonly MatchingDecision Matching = new(null!, Address.Parse("0x0000000000000000000000000000000000000002"));
    private static readonly DataEvaluation Evaluation = new(null!, Address.Parse("0x0000000000000000000000000000000000000003"));
    private static readonly Address Payee = Address.Parse("0x00000000000000000000000000000000000000aa");

    [Fact]
    public void Every_challenge_of_the_contracts_is_made_from_some_batch()
    {
        string[] declared =
        [
            .. new[] { typeof(DynamicAccessControl), typeof(MatchingDecision), typeof(DataEvaluation), typeof(AnonymousTransaction) }
                .SelectMany(contract => contract.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
                .Where(method => method.Name.StartsWith("Challenge", StringComparison.Ordinal) && method.ReturnType == typeof(ContractCall))
                .Select(method => char.ToLowerInvariant(method.Name[0]) + method.Name[1..]),
        ];
        Assert.True(declared.Length >= 15, "the contracts declare fewer challenges than they did");

        (PostedEpoch first, PostedEpoch second) = Epochs();
        (RoundBatch round, Round posted) = Round();
        string[] made =
        [
            .. OfEpoch(second, first).Select(challenge => challenge.Kind),
            .. RoundChallenges.All(Matching, posted, round, [first.Batch.Evidence(Posting, 0), first.Batch.Evidence(Posting, 1)], [1])
                .Select(challenge => challenge.Kind),
            .. OfDelivery(first, Payee, isRevoked: true, []).Select(challenge => challenge.Kind),
        ];
        Assert.Equal(declared.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
            made.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Members_pasts_are_judged_where_they_break_a_rule()
    {
        (PostedEpoch first, PostedEpoch second) = Epochs();
        string[] pasts = [.. OfEpoch(second, first).Where(challenge => challenge.Kind is "challengeHistory" or "challengePointer")
            .Select(challenge => $"{challenge.Kind} {challenge.Where}")];

        // Member 0 is the first of its class, whose high-water grade fell; 1 repeats its pseudonym from the wrong place; 2 is the first of
        // a right class; 3 leaves out its past.
        Assert.Equal(
            [
                "challengePointer member 0", "challengeHistory member 0", "challengeHistory member 1", "challengePointer member 2",
                "challengeHistory member 2", "challengeHistory member 3",
            ],
            pasts);

        // What is not known of the past is not judged; what stands in the epoch itself is.
        Assert.Equal(["challengeClassRange", "challengeDuplicate", "challengeEpsilonCap"],
            EpochChallenges.All(Access, second, earlier: null).Select(challenge => challenge.Kind).Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Wrong_payee_is_proved_by_the_address_of_another_delivery_and_by_none_other()
    {
        (PostedEpoch epoch, _) = Epochs();
        Address thief = Address.Parse("0x00000000000000000000000000000000000000cc");
        BatchChallenge proof = Assert.Single(OfDelivery(epoch, thief, isRevoked: false, [thief, Payee]), IsPayee);
        BatchChallenge spot = Assert.Single(OfDelivery(epoch, Payee, isRevoked: false, []), IsPayee);
        Assert.Equal("slot 0", proof.Where);
        Assert.NotEqual(spot.Call.Data.ToArray(), proof.Call.Data.ToArray());
        Assert.DoesNotContain(OfDelivery(epoch, thief, isRevoked: false, [thief]), IsPayee);

        static bool IsPayee(BatchChallenge challenge) => challenge.Kind == "challengePayee";
    }

    private static IEnumerable<BatchChallenge> OfEpoch(PostedEpoch epoch, PostedEpoch before) =>
        EpochChallenges.All(Access, epoch, new Dictionary<uint, PostedEpoch> { [1] = before });

    /// <summary>A right epoch of four members in two classes, and one after it with faults.</summary>
    private static (PostedEpoch First, PostedEpoch Second) Epochs()
    {
        MemberLeaf[] members = [.. Enumerable.Range(0, 4).Select(i => Member($"member {i}", (uint)i / 2, 0, 0))];
        PostedEpoch first = Epoch(1, [Class(0x3), Class(0x3)], members);
        return (first, Epoch(2, [Class(0x2), Class(0x3)],
        [
            members[0] with { PreviousEpoch = 1, PreviousPosition = 0 }, members[0] with { PreviousEpoch = 1, PreviousPosition = 1 },
            members[2] with { PreviousEpoch = 1, PreviousPosition = 2 }, members[3],
        ]));
    }

    private static PostedEpoch Epoch(uint number, ClassLeaf[] classes, MemberLeaf[] members)
    {
        EpochBatch batch = EpochBatch.Build(ChainId, Access.Address, 1, SchemaId, number, 0, classes, members, Keccak256.Hash("data"));
        return new PostedEpoch(new Epoch(batch.Header, Posting), batch);
    }

    private static ClassLeaf Class(BigInteger highWater) => new(2, 1, 0x3, highWater, [0, 1, 1, 1], 1, 5_000, default);

    private static MemberLeaf Member(string name, uint class_, uint previousEpoch, uint previousPosition) => new(
        Keccak256.Hash(name), Payee, class_, Leaves.Payout(Keccak256.Hash(name), 0, Payee).Hash, previousEpoch, previousPosition,
        Keccak256.Hash("salt"));

    /// <summary>One class with a premium sells one record to one request.</summary>
    private static (RoundBatch Batch, Round Posted) Round()
    {
        RoundHeader shape = new(SchemaId, 0, 0, 1, 1, 1, 0, Keccak256.Hash("seed"), Keccak256.Hash("data"),
            default, default, default, default);
        RoundBatch batch = RoundBatch.Build(
            ChainId, Matching.Address, shape, new Dictionary<uint, PriceLeaf> { [0] = new(1, 0, 0, 0) }, [new RequestLeaf(0, false)],
            [new Sale(0, 0, 1)]);
        return (batch, new Round(batch.Header, Posting));
    }

    /// <summary>Two slots where one was sold; the first is of member 0.</summary>
    private static BatchChallenge[] OfDelivery(PostedEpoch epoch, Address payee, bool isRevoked, Address[] knownPayees)
    {
        DeliveryLeaf leaf = new(0, 0, payee, Keccak256.Hash("reports"), 10, 1_000);
        DeliveryBatch batch = DeliveryBatch.Build(
            ChainId, Evaluation.Address, 1, 1, 0, [leaf, leaf with { MemberPosition = 1 }], Keccak256.Hash("data"));
        (RoundBatch round, Round posted) = Round();
        return
        [
            .. DeliveryChallenges.All(Evaluation, new Delivery(batch.Header, Posting), batch, new DeliverySale(posted, round, epoch, 0),
                _ => isRevoked, _ => knownPayees),
        ];
    }
}
