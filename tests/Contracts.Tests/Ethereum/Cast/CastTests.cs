using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Tests.Ethereum.Cast;

/// <summary>Every encoding, hash and signature against Foundry's, on random values.</summary>
public class CastTests
{
    [RequiresFact(Tool.Cast)]
    public void Encoding_of_random_nested_values_equals_casts_and_decodes_to_the_values()
    {
        RandomValues random = new(20260801);
        List<(AbiTuple Type, object[] Values)> cases = [];
        for (int i = 0; i < 200; i++)
        {
            // Twenty rows of the same type make a case worth its process.
            AbiTuple row = random.Tuple(depth: 3, count: random.Random.Next(1, 5));
            AbiArray rows = new(row, null);
            AbiTuple type = new([rows, random.Type(2)]);
            cases.Add((type, [Enumerable.Range(0, 20).Select(_ => random.Value(row)).ToArray(), random.Value(type.Components[1])]));
        }

        string[] answers = CastOracle.Ask([.. cases.Select(item => (string[])
            ["abi-encode", "f" + item.Type.Name, "--",
                .. item.Values.Zip(item.Type.Components).Select(pair => RandomValues.Text(pair.Second, pair.First))])]);
        int values = 0;
        for (int i = 0; i < cases.Count; i++)
        {
            byte[] ours = AbiEncoder.Encode(cases[i].Type, cases[i].Values);
            Assert.True(string.Equals(answers[i], Hex.Encode(ours), StringComparison.Ordinal), cases[i].Type.Name);
            Assert.True(AbiValues.AreEqual(cases[i].Values, AbiDecoder.Decode(cases[i].Type, ours)), cases[i].Type.Name);
            values += RandomValues.Count(cases[i].Values);
        }

        Assert.InRange(values, 10_000, int.MaxValue);
    }

    [RequiresFact(Tool.Cast)]
    public void Event_topics_and_data_of_random_values_equal_casts()
    {
        RandomValues random = new(20260802);
        List<(string Signature, AbiType[] Types, bool[] Indexed, object[] Values)> cases = [];
        for (int i = 0; i < 100; i++)
        {
            // In events cast encodes no tuples, indexed parameters of one word alone, and data right only where at most one parameter is
            // dynamic and alone (with two it leaves their heads out); the other shapes are held against the compiler by the bindings'
            // tests.
            AbiType[] types = i % 5 == 0
                ? [new AbiArray(random.Type(0), null)] : [.. Enumerable.Range(0, random.Random.Next(1, 6)).Select(_ => random.WordType())];
            int free = 3;
            bool[] indexed =
                [.. types.Select(type => type is not (AbiArray or AbiTuple or AbiBytes or AbiString) && random.Random.Next(2) == 0
                    && free-- > 0)];
            string signature = "E("
                + string.Join(',', types.Zip(indexed).Select(pair => pair.First.Name + (pair.Second ? " indexed" : ""))) + ")";
            cases.Add((signature, types, indexed, [.. types.Select(random.Value)]));
        }

        string[] answers = CastOracle.Ask([.. cases.Select(item => (string[])
            ["abi-encode-event", "event " + item.Signature, "--",
                .. item.Values.Zip(item.Types).Select(pair => RandomValues.Text(pair.Second, pair.First))])]);
        for (int i = 0; i < cases.Count; i++)
        {
            string[] words = answers[i].Split(['\n', ' ', ':', '[', ']', ','], StringSplitOptions.RemoveEmptyEntries)
                .Where(word => word.StartsWith("0x", StringComparison.Ordinal)).ToArray();
            AbiEvent definition = new(cases[i].Signature);
            int topicCount = 1 + cases[i].Indexed.Count(indexed => indexed);
            Bytes32[] topics = [.. words.Take(topicCount).Select(Bytes32.Parse)];
            byte[] data = words.Length > topicCount ? Hex.Decode(words[topicCount]) : [];
            Assert.Equal(definition.Topic, topics[0]);
            Assert.True(AbiValues.AreEqual(cases[i].Values, definition.Decode(topics, data)), cases[i].Signature);
        }
    }

    [RequiresFact(Tool.Cast)]
    [Trait("Duration", "Long")]
    public void Hashes_signatures_addresses_and_transactions_equal_casts_thousands_of_times()
    {
        CompareHashes(2_000);
        CompareTransactions(2_000);
        CompareSignatures(2_000);
    }

    [RequiresFact(Tool.Cast)]
    public void Keccak_of_every_length_around_the_rate_equals_casts() => CompareHashes(300);

    [RequiresFact(Tool.Cast)]
    public void Signed_transactions_of_both_types_equal_casts() => CompareTransactions(200);

    [RequiresFact(Tool.Cast)]
    public void Signatures_and_addresses_of_random_keys_equal_casts_and_recover() => CompareSignatures(150);

    private static void CompareHashes(int count)
    {
        RandomValues random = new(20260803);
        byte[][] messages = [.. Enumerable.Range(0, count).Select(random.Bytes)];
        string[] answers = CastOracle.Ask([.. messages.Select(message => (string[])["keccak", Hex.Encode(message)])]);
        Assert.Equal(answers, messages.Select(message => Keccak256.Hash(message).ToString()));
    }

    private static void CompareTransactions(int count)
    {
        RandomValues random = new(20260804);
        List<string[]> questions = [];
        List<string> ours = [];
        for (int i = 0; i < count; i++)
        {
            byte[] key = random.Bytes(32);
            bool legacy = i % 2 == 0;
            BigInteger tip = random.Random.Next(1_000_000);
            BigInteger fee = tip + new BigInteger(random.Bytes(8), isUnsigned: true);
            GasPrice price = legacy ? new GasPrice.Fixed(fee) : new GasPrice.Dynamic(tip, fee);
            Address? to = i % 5 == 0 ? null : new Address(random.Bytes(20));
            byte[] data = random.Bytes(to is null ? 1 + random.Random.Next(100) : random.Random.Next(100));
            Transaction transaction = new(
                (ulong)random.Random.Next(1, 1 << 30), (ulong)random.Random.NextInt64(0, 1L << 40), price,
                (ulong)random.Random.Next(21_000, 30_000_000), to,
                i % 3 == 0 ? BigInteger.Zero : new BigInteger(random.Bytes(11), isUnsigned: true), data);
            ours.Add(Hex.Encode(transaction.Sign(new EthereumAccount(key)).Raw.Span));
            string Number(BigInteger value) => value.ToString(CultureInfo.InvariantCulture);
            questions.Add(
            [
                "mktx", "--private-key", Hex.Encode(key), "--chain", Number(transaction.ChainId), "--nonce", Number(transaction.Nonce),
                "--gas-limit", Number(transaction.GasLimit), "--gas-price", Number(fee),
                .. legacy ? ["--legacy"] : (string[])["--priority-gas-price", Number(tip)], "--value", Number(transaction.Value),
                .. to is { } receiver ? [receiver.ToString(), Hex.Encode(data)] : (string[])["--create", Hex.Encode(data)],
            ]);
        }

        Assert.Equal(CastOracle.Ask(questions), ours);
    }

    private static void CompareSignatures(int count)
    {
        RandomValues random = new(20260805);
        (byte[] Key, Bytes32 Hash)[] cases =
            [.. Enumerable.Range(0, count).Select(_ => (random.Bytes(32), new Bytes32(random.Bytes(32))))];
        string[] signatures =
            CastOracle.Ask(
                [.. cases.Select(
                    item => (string[])["wallet", "sign", "--no-hash", "--private-key", Hex.Encode(item.Key), item.Hash.ToString()])]);
        string[] addresses = CastOracle.Ask(
            [.. cases.Select(item => (string[])["wallet", "address", "--private-key", Hex.Encode(item.Key)])]);
        for (int i = 0; i < cases.Length; i++)
        {
            EthereumAccount account = new(cases[i].Key);
            Signature signature = account.Sign(cases[i].Hash);
            Assert.Equal(signatures[i], Hex.Encode(signature.ToBytes()));
            Assert.Equal(addresses[i], account.Address.ToString());
            Assert.Equal(account.Address, EthereumAccount.Recover(cases[i].Hash, Signature.FromBytes(Hex.Decode(signatures[i]))));
        }
    }

    [RequiresFact(Tool.Cast)]
    public void Typed_data_with_nested_structs_and_arrays_is_signed_as_cast_does()
    {
        const string Json = """
            {"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
            "Policy":[{"name":"holder","type":"Holder"},{"name":"grades","type":"uint8[]"},{"name":"rates","type":"uint96[2]"},{"name":"past","type":"Holder[]"},{"name":"salt","type":"bytes32"},{"name":"note","type":"bytes"},{"name":"paused","type":"bool"}],
            "Holder":[{"name":"name","type":"string"},{"name":"wallet","type":"address"}]},
            "primaryType":"Policy","domain":{"name":"EmrMarket","version":"1","chainId":CHAIN,"verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},
            "message":{"holder":{"name":"NAME","wallet":"WALLET"},"grades":[1,2,GRADE],"rates":["RATE","0"],"past":[{"name":"","wallet":"WALLET"},{"name":"x","wallet":"WALLET"}],"salt":"SALT","note":"NOTE","paused":true}}
            """;
        TypedDataType type = TypedDataType.Parse(
            "Policy(Holder holder,uint8[] grades,uint96[2] rates,Holder[] past,bytes32 salt,bytes note,bool paused)Holder(string "
                + "name,address wallet)");
        RandomValues random = new(20260806);
        List<string[]> questions = [];
        List<string> ours = [];
        for (int i = 0; i < 30; i++)
        {
            EthereumAccount account = new(random.Bytes(32));
            byte[] key = random.Bytes(32);
            ulong chain = (ulong)random.Random.Next(1, 1 << 20);
            byte grade = (byte)random.Random.Next(256);
            BigInteger rate = new(random.Bytes(11), isUnsigned: true);
            Bytes32 salt = new(random.Bytes(32));
            byte[] note = random.Bytes(i);
            string name = (string)random.Value(new AbiString());
            Address wallet = account.Address;
            TypedDataDomain domain = new("EmrMarket", "1", chain, Address.Parse("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"));
            Bytes32 hash = type.HashToSign(
                domain,
                [
                    new object[] { name, wallet }, new object[] { 1, 2, grade }, new object[] { rate, 0 },
                    new object[] { new object[] { "", wallet }, new object[] { "x", wallet } }, salt, note, true,
                ]);
            ours.Add(Hex.Encode(new EthereumAccount(key).Sign(hash).ToBytes()));
            string json = Json.Replace("CHAIN", chain.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
                .Replace("NAME", name, StringComparison.Ordinal)
                .Replace("WALLET", wallet.ToString(), StringComparison.Ordinal)
                .Replace("GRADE", grade.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
                .Replace("RATE", rate.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
                .Replace("SALT", salt.ToString(), StringComparison.Ordinal)
                .Replace("NOTE", Hex.Encode(note), StringComparison.Ordinal);
            questions.Add(["wallet", "sign", "--private-key", Hex.Encode(key), "--data", json]);
        }

        Assert.Equal(CastOracle.Ask(questions), ours);
    }
}
