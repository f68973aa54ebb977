using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;

namespace EmrMarket.Contracts.Deployment;

/// <summary>A contract of a deployment.</summary>
/// <param name="Address">Where it stands.</param>
/// <param name="TransactionHash">What created it; null for a payment token that was there before.</param>
/// <param name="CodeHash">The Keccak-256 hash of its code, immutable values included.</param>
public sealed record DeployedContract(string Address, string? TransactionHash, string CodeHash);

/// <summary>The payment token and the four contracts on one chain, as the deployment file keeps them.</summary>
public sealed record ContractDeployment
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
    };

    private static readonly ContractsStruct NoContracts = new(default, default, default, default);

    /// <summary>The chain.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>The block of the first contract, from which logs are followed.</summary>
    public required ulong FirstBlock { get; init; }

    /// <summary>The payment token.</summary>
    public required DeployedContract Token { get; init; }

    /// <summary>DynamicAccessControl.</summary>
    public required DeployedContract AccessControl { get; init; }

    /// <summary>MatchingDecision.</summary>
    public required DeployedContract Matching { get; init; }

    /// <summary>DataEvaluation.</summary>
    public required DeployedContract Evaluation { get; init; }

    /// <summary>AnonymousTransaction.</summary>
    public required DeployedContract Payments { get; init; }

    /// <summary>The rules that the contracts were made with.</summary>
    public required DeploymentTerms Terms { get; init; }

    /// <summary>Deploys, or goes on with a deployment that was interrupted: the sender's outbox remembers what was signed.</summary>
    /// <param name="sender">The deployer; it sends nothing else meanwhile.</param>
    /// <param name="client">The node.</param>
    /// <param name="chainId">The chain.</param>
    /// <param name="roles">Who holds which role.</param>
    /// <param name="terms">The rules.</param>
    /// <param name="token">The payment token; null makes the development token, which refuses every chain but a development one.</param>
    /// <param name="cancellationToken">Ends the wait; the deployment can be taken up again.</param>
    /// <exception cref="DeploymentException">No code at the token's address, or another program sent from the account
    /// meanwhile.</exception>
    /// <exception cref="EthereumException">The node or a contract refused.</exception>
    public static async Task<ContractDeployment> DeployAsync(
        TransactionSender sender, IEthereumClient client, ulong chainId, DeploymentRoles roles, DeploymentTerms terms, Address? token,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sender);
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(roles);
        ArgumentNullException.ThrowIfNull(terms);
        if (token is { } existing && (await client.GetCodeAsync(existing, BlockReference.Latest, cancellationToken)).Length == 0)
        {
            throw new DeploymentException(
                $"there is no contract at {existing}: --token is the address of an ERC-20 token with permit on this chain");
        }

        // The id names the code and the rules, so that another version of the contracts is another deployment.
        string id = "deploy/" + Keccak256.Hash(
            string.Join('/', roles, terms, token, Hex.Encode(MatchingDecision.Create(NoContracts, terms.For(default, roles)).Data.Span),
            Hex.Encode(DynamicAccessControl.Create(NoContracts, terms.For(default, roles)).Data.Span),
            Hex.Encode(DataEvaluation.Create(NoContracts, terms.For(default, roles)).Data.Span),
            Hex.Encode(AnonymousTransaction.Create(NoContracts, terms.For(default, roles)).Data.Span)));
        ulong nonce = await sender.NonceOfAsync(id + "/0", cancellationToken);
        ulong first = nonce;
        Address Next() => Address.OfContract(sender.Account, nonce++);
        Address payment = token ?? Next();
        ContractsStruct contracts = new(Next(), Next(), Next(), Next());
        Parameters parameters = terms.For(payment, roles);
        ContractCall[] calls =
        [
            .. token is null ? [DevelopmentToken.Create()] : Array.Empty<ContractCall>(),
            DynamicAccessControl.Create(contracts, parameters), MatchingDecision.Create(contracts, parameters),
            DataEvaluation.Create(contracts, parameters), AnonymousTransaction.Create(contracts, parameters),
        ];
        IReadOnlyList<TransactionOutcome> outcomes = await sender.SendAsync(
            [.. calls.Select((call, i) => new TransactionIntent($"{id}/{i}", call))], cancellationToken);
        for (int i = 0; i < outcomes.Count; i++)
        {
            Address expected = Address.OfContract(sender.Account, first + (ulong)i);
            if (!outcomes[i].Succeeded || outcomes[i].ContractAddress != expected)
            {
                throw new DeploymentException(
                    $"contract {i + 1} of {outcomes.Count} was to stand at {expected}, transaction {outcomes[i].TransactionHash} "
                    + (outcomes[i].Succeeded
                        ? $"made {outcomes[i].ContractAddress}: another program sends from {sender.Account}" : "failed")
                    + ". Deploy again from an account of its own and with a new outbox");
            }
        }

        Address[] addresses = [payment, contracts.AccessControl, contracts.Matching, contracts.Evaluation, contracts.Payments];
        DeployedContract[] deployed = new DeployedContract[addresses.Length];
        for (int i = 0; i < addresses.Length; i++)
        {
            int created = token is null ? i : i - 1;
            byte[] code = await client.GetCodeAsync(addresses[i], BlockReference.Latest, cancellationToken);
            if (code.Length == 0)
            {
                throw new DeploymentException(
                    $"the chain lost the contract at {addresses[i]} while it was deployed: deploy again, which sends the same "
                        + "transactions");
            }

            deployed[i] = new DeployedContract(addresses[i].ToString(), created < 0 ? null : outcomes[created].TransactionHash.ToString(),
                Keccak256.Hash(code).ToString());
        }

        ContractDeployment deployment = new()
        {
            ChainId = chainId,
            FirstBlock = outcomes[0].BlockNumber,
            Token = deployed[0],
            AccessControl = deployed[1],
            Matching = deployed[2],
            Evaluation = deployed[3],
            Payments = deployed[4],
            Terms = terms,
        };
        await deployment.VerifyAsync(client, cancellationToken);
        return deployment;
    }

    /// <summary>Holds the chain against this file: its id, the hash of every contract's code, and that the code is what this program was
    /// built with.</summary>
    /// <exception cref="Ethereum.JsonRpc.WrongChainException">The node follows another chain.</exception>
    /// <exception cref="DeploymentException">A contract is missing or another one.</exception>
    public async Task VerifyAsync(IEthereumClient client, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(client);
        ulong actual = await client.GetChainIdAsync(cancellationToken);
        if (actual != ChainId)
        {
            throw new Ethereum.JsonRpc.WrongChainException(ChainId, actual);
        }

        (string Name, DeployedContract Contract, Owner? Owns)[] all =
        [
            ("the payment token", Token, null), (nameof(DynamicAccessControl), AccessControl, DynamicAccessControl.Owns),
            (nameof(MatchingDecision), Matching, MatchingDecision.Owns),
            (nameof(DataEvaluation), Evaluation, DataEvaluation.Owns), (nameof(AnonymousTransaction), Payments, AnonymousTransaction.Owns),
        ];
        foreach ((string name, DeployedContract contract, Owner? owns) in all)
        {
            byte[] code = await client.GetCodeAsync(Address.Parse(contract.Address), BlockReference.Latest, cancellationToken);
            string hash = Keccak256.Hash(code).ToString();
            if (!string.Equals(hash, contract.CodeHash, StringComparison.OrdinalIgnoreCase))
            {
                throw new DeploymentException(
                    $"{name} at {contract.Address} on chain {ChainId}: expected code with hash {contract.CodeHash}, "
                    + (code.Length == 0 ? "there is no contract" : $"got {hash}")
                    + ". The file belongs to another chain, or the chain was started anew: deploy again");
            }

            if (owns is not null && !owns(code))
            {
                throw new DeploymentException(
                    $"{name} at {contract.Address} was compiled from other sources than this program: use the program that deployed it, "
                        + "or deploy again");
            }
        }
    }

    /// <summary>Reads a deployment file.</summary>
    /// <exception cref="DeploymentException">The file is missing or damaged.</exception>
    public static ContractDeployment Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<ContractDeployment>(File.ReadAllText(path), Format)
                ?? throw new DeploymentException($"{path} holds nothing");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new DeploymentException($"the deployment cannot be read from {path}: {e.Message}. Deploy first: ./emr chain deploy", e);
        }
    }

    /// <summary>Writes the deployment file, all or nothing.</summary>
    public void Save(string path)
    {
        string fresh = path + ".new";
        File.WriteAllText(fresh, JsonSerializer.Serialize(this, Format) + "\n");
        File.Move(fresh, path, overwrite: true);
    }

    private delegate bool Owner(ReadOnlySpan<byte> code);
}
