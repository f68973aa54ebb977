using System.Numerics;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Tests.Bindings.Generated;
using EmrMarket.Contracts.Tests.DevChain;

namespace EmrMarket.Contracts.Tests.Bindings;

/// <summary>Generated bindings against the compiled contract on a real chain: what goes out comes back.</summary>
public class ProbeTests(ChainFixture fixture) : IClassFixture<ChainFixture>
{
    private static readonly Address Owner = EthereumAccount.Generate().Address;
    private static readonly Outer Value = new(
        Owner,
        new Inner(255, -8_388_608, [1, 2, 3, 4], [new Leaf(ulong.MaxValue, [9, 8, 7]), new Leaf(0, [])]),
        [[BigInteger.Zero, (BigInteger.One << 256) - 1], []],
        "Größe 10 µm",
        Stage.Closed,
        true);

    [RequiresFact(Tool.Anvil)]
    public async Task Views_give_back_every_form_of_value()
    {
        Probe probe = await DeployAsync();
        Assert.Equal(Value, await probe.EchoAsync(Value));
        (Outer[] same, byte[] numbers, byte[][] blobs) = await probe.EchoManyAsync(
            [Value, Value with { Grid = [[], [1]] }], [0, 127, 255], [[], [1], new byte[33]]);
        Assert.Equal([Value, Value with { Grid = [[], [1]] }], same);
        Assert.Equal([0, 127, 255], numbers);
        Assert.Equal([0, 1, 33], blobs.Select(blob => blob.Length));
        Assert.Equal(
            (byte.MaxValue, ushort.MaxValue, uint.MaxValue, ulong.MaxValue, UInt128.MaxValue, (BigInteger.One << 256) - 1),
            await probe.LimitsAsync(
                byte.MaxValue, ushort.MaxValue, uint.MaxValue, ulong.MaxValue, UInt128.MaxValue, (BigInteger.One << 256) - 1));
        Assert.Equal(
            (sbyte.MinValue, short.MinValue, int.MinValue, long.MinValue, Int128.MinValue, -(BigInteger.One << 255)),
            await probe.SignedLimitsAsync(
                sbyte.MinValue, short.MinValue, int.MinValue, long.MinValue, Int128.MinValue, -(BigInteger.One << 255)));
        Assert.Equal(8, await probe.OverloadedAsync(7));
        Assert.Equal(Bytes32.Parse("0x" + new string('f', 64)), await probe.OverloadedAsync(Bytes32.Zero));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Constructor_arguments_and_code_are_recognised()
    {
        Probe probe = await DeployAsync();
        Assert.Equal(Owner, await probe.OwnerAsync());
        Assert.Equal(1_000_000_007, await probe.OffsetAsync());
        byte[] code = await probe.Client.GetCodeAsync(probe.Address, BlockReference.Latest, CancellationToken.None);
        Assert.True(Probe.Owns(code));
        code[^1] ^= 1;
        Assert.False(Probe.Owns(code));
        Assert.False(Probe.Owns([]));
    }

    [Fact]
    public void Functions_are_told_by_the_selector_of_a_call()
    {
        // The selector of ERC-20's transfer, as EIP-20's tools print it.
        byte[] transfer = [0xa9, 0x05, 0x9c, 0xbb, .. new byte[64]];
        Assert.Equal("transfer", EmrMarket.Contracts.Bindings.DevelopmentToken.FunctionOf(transfer));
        Assert.Null(Probe.FunctionOf(transfer));
        Assert.Null(EmrMarket.Contracts.Bindings.DevelopmentToken.FunctionOf(transfer.AsMemory(0, 3)));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Events_become_records()
    {
        Probe probe = await DeployAsync();
        Bytes32 root = Keccak256.Hash("root");
        TransactionReceipt recorded = await fixture.SendAsync(probe.Record(5, root, UInt128.MaxValue));
        Assert.Equal(new RecordedEvent(5, fixture.Account.Address, root, UInt128.MaxValue),
            ContractEvents.Decode(Assert.Single(recorded.Logs)));

        TransactionReceipt announced = await fixture.SendAsync(probe.Announce(Value, [1, 2, 3], 42));
        Assert.Equal(2, announced.Logs.Count);
        HashedEvent hashed = HashedEvent.Decode(announced.Logs[0]);
        Assert.Equal(AbiEncoder.Topic(AbiType.Parse("string"), Value.Name), hashed.NameHash);
        Assert.Equal(AbiEncoder.Topic(AbiType.Parse("(uint64,bytes)"), Value.Inner.Leaves[0].ToAbi()), hashed.LeafHash);
        Assert.Equal(AbiEncoder.Topic(AbiType.Parse("uint16[]"), new object[] { 1, 2, 3 }), hashed.NumbersHash);
        Assert.Equal(42, new BigInteger(hashed.Data, isUnsigned: true, isBigEndian: true));
        Assert.Equal(new NestedEvent(Value, Stage.Closed), NestedEvent.Decode(announced.Logs[1]));
        Assert.Throws<AbiException>(() => NestedEvent.Decode(announced.Logs[0]));
        Assert.Null(ContractEvents.Decode(announced.Logs[0] with { Topics = [Bytes32.Zero] }));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Errors_become_typed_exceptions_with_their_arguments()
    {
        Probe probe = await DeployAsync();
        await Assert.ThrowsAsync<BareException>(() => probe.RefuseAsync(0));
        EverythingException everything = await Assert.ThrowsAsync<EverythingException>(() => probe.RefuseAsync(1));
        Assert.Equal((UInt128.One << 112) - 1, everything.Amount);
        Assert.Equal(-(BigInteger.One << 255), everything.Signed);
        Assert.Equal([0x00, 0xff], everything.DataValue);
        Assert.Equal("Grüße", everything.Text);
        Assert.Equal(new Leaf(7, [0xaa]), everything.Leaf);
        Assert.Equal(Stage.Closed, everything.Stage);
        Assert.Contains("a reason in words", (await Assert.ThrowsAsync<ContractRevertException>(() => probe.RefuseAsync(2))).Message,
            StringComparison.Ordinal);
        Assert.Contains("assertion", (await Assert.ThrowsAsync<ContractRevertException>(() => probe.RefuseAsync(3))).Message,
            StringComparison.Ordinal);
        Assert.Contains("division by zero", (await Assert.ThrowsAsync<ContractRevertException>(() => probe.RefuseAsync(4))).Message,
            StringComparison.Ordinal);
        Assert.True((await Assert.ThrowsAsync<ContractRevertException>(() => probe.RefuseAsync(5))).RevertData.IsEmpty);
        Assert.Equal(6, await probe.RefuseAsync(6));

        // The same before a transaction is signed, in words that name the arguments.
        NotOwnerException refused = await Assert.ThrowsAsync<NotOwnerException>(
            () => probe.TryAsync(probe.OnlyOwner(), fixture.Account.Address, CancellationToken.None));
        Assert.Equal((fixture.Account.Address, Owner), (refused.Caller, refused.Owner));
        Assert.Contains("The caller is not the owner. caller = " + fixture.Account.Address,
            refused.Message.Replace(';', ' ').Replace("  ", " ", StringComparison.Ordinal), StringComparison.Ordinal);
        await probe.TryAsync(probe.OnlyOwner(), Owner, CancellationToken.None);
        await Assert.ThrowsAsync<ContractRevertException>(() => fixture.SendAsync(probe.OnlyOwner()));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Call_of_an_address_without_code_is_a_typed_error()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        await Assert.ThrowsAsync<AbiException>(() => new Probe(chain.Client, Owner).OffsetAsync());
    }

    private async Task<Probe> DeployAsync()
    {
        TransactionReceipt receipt = await fixture.SendAsync(Probe.Create(Owner, 1_000_000_007));
        Assert.True(receipt.Succeeded);
        return new Probe((await fixture.GetAsync()).Client, receipt.ContractAddress!.Value);
    }
}
